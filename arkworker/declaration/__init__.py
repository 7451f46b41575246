"""The declaration files of Arkindex, `arkindex/*.yml`: one file describes one worker."""
