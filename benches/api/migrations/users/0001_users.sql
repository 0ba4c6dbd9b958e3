-- The table of the origin document (docs/origin.md, "PostgreSQL (Database)"), as it stands there.
--
-- Its three indexes are not here: they are factors of the experiment, declared under [indexes] in the experiment file
-- and built per variant. With all three present, the planner would choose among them, not the author.
CREATE TABLE users (
    id SERIAL PRIMARY KEY,
    email VARCHAR(255) NOT NULL,
    name VARCHAR(255) NOT NULL,
    status VARCHAR(20) DEFAULT 'active', -- 'active' or 'inactive'
    created_at TIMESTAMP DEFAULT NOW()
);
