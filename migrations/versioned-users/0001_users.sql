-- The table of the origin document with a column that counts the writes of each row, so that an answer can be told to be
-- older than another one.
CREATE TABLE users (
    id SERIAL PRIMARY KEY,
    email VARCHAR(255) NOT NULL,
    name VARCHAR(255) NOT NULL,
    status VARCHAR(20) DEFAULT 'active', -- 'active' or 'inactive'
    created_at TIMESTAMP DEFAULT NOW(),
    version BIGINT NOT NULL DEFAULT 0
);
