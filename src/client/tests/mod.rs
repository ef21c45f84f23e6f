//! The client over a server that plays a script, on paused time.
