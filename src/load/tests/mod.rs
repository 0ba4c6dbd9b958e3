//! Whole loads against scripted servers: on a paused clock where time is all that matters, on real sockets where the
//! network is.

mod answers;
mod bodies;
mod faults;
mod kept;
mod levels;
mod models;
mod paths;
mod scripts;
mod sockets;
mod versions;
