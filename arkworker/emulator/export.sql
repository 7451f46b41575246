-- The tables of an export.
CREATE TABLE export_version (version INTEGER);
CREATE TABLE worker_version (id VARCHAR(37) PRIMARY KEY, slug VARCHAR(100) NOT NULL, name VARCHAR(100) NOT NULL,
    repository_url VARCHAR(250), revision VARCHAR(200), version INTEGER, type VARCHAR(50) NOT NULL);
CREATE TABLE worker_run (id VARCHAR(37) PRIMARY KEY, worker_version_id VARCHAR(37) NOT NULL REFERENCES worker_version,
    model_version_id VARCHAR(37), model_id VARCHAR(37), model_name VARCHAR(100), configuration_id VARCHAR(37),
    configuration TEXT);
CREATE TABLE image_server (id INTEGER PRIMARY KEY, url VARCHAR(200) NOT NULL, display_name VARCHAR(250) NOT NULL,
    max_width INTEGER, max_height INTEGER, version INTEGER NOT NULL DEFAULT 2);
CREATE TABLE image (id VARCHAR(37) PRIMARY KEY, server_id INTEGER NOT NULL REFERENCES image_server, url TEXT NOT NULL,
    width INTEGER NOT NULL, height INTEGER NOT NULL);
CREATE TABLE element (id VARCHAR(37) PRIMARY KEY, name VARCHAR(250) NOT NULL, type VARCHAR(50) NOT NULL,
    image_id VARCHAR(37) REFERENCES image, polygon TEXT, confidence REAL, rotation_angle INTEGER NOT NULL DEFAULT 0,
    mirrored INTEGER NOT NULL DEFAULT 0, worker_run_id VARCHAR(37) REFERENCES worker_run, created REAL NOT NULL,
    updated REAL NOT NULL);
CREATE TABLE element_path (id VARCHAR(37) PRIMARY KEY, parent_id VARCHAR(37) NOT NULL REFERENCES element,
    child_id VARCHAR(37) NOT NULL REFERENCES element, ordering INTEGER NOT NULL DEFAULT 0);
CREATE TABLE transcription (id VARCHAR(37) PRIMARY KEY, element_id VARCHAR(37) NOT NULL REFERENCES element,
    text TEXT NOT NULL, confidence REAL, orientation TEXT NOT NULL DEFAULT 'horizontal-lr',
    worker_run_id VARCHAR(37) REFERENCES worker_run);
CREATE TABLE classification (id VARCHAR(37) PRIMARY KEY, element_id VARCHAR(37) NOT NULL REFERENCES element,
    class_name VARCHAR(1024) NOT NULL, confidence REAL NOT NULL, worker_run_id VARCHAR(37) REFERENCES worker_run);
CREATE TABLE metadata (id VARCHAR(37) PRIMARY KEY, element_id VARCHAR(37) NOT NULL REFERENCES element,
    name VARCHAR(250) NOT NULL, type VARCHAR(50) NOT NULL, value TEXT NOT NULL,
    worker_run_id VARCHAR(37) REFERENCES worker_run);
CREATE TABLE entity_type (id VARCHAR(37) PRIMARY KEY, color VARCHAR(6) NOT NULL, name VARCHAR(250) NOT NULL);
CREATE TABLE transcription_entity (id VARCHAR(37) PRIMARY KEY, transcription_id VARCHAR(37) NOT NULL
    REFERENCES transcription, type_id VARCHAR(37) NOT NULL REFERENCES entity_type, offset INTEGER NOT NULL,
    length INTEGER NOT NULL, confidence REAL, worker_run_id VARCHAR(37) REFERENCES worker_run);
CREATE TABLE embedding (id VARCHAR(37) PRIMARY KEY, element_id VARCHAR(37) NOT NULL REFERENCES element,
    value TEXT NOT NULL, worker_run_id VARCHAR(37) REFERENCES worker_run, created REAL NOT NULL, updated REAL NOT NULL);
CREATE TABLE dataset (id VARCHAR(37) PRIMARY KEY, name VARCHAR(100) NOT NULL, description TEXT NOT NULL,
    sets TEXT NOT NULL);
CREATE TABLE dataset_element (id VARCHAR(37) PRIMARY KEY, element_id VARCHAR(37) NOT NULL REFERENCES element,
    dataset_id VARCHAR(37) NOT NULL REFERENCES dataset, set_name VARCHAR(50) NOT NULL);
