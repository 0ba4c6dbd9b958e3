CREATE TABLE items (
    id bigint PRIMARY KEY,
    amount integer NOT NULL,
    note text NOT NULL
);
