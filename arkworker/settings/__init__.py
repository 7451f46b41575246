"""From argv, environment, files and payload to validated values and their origins; pure."""
