//! Runs the program on damaged files, with limits on memory and time, and sees how it ends: exit code 0, 1 or
//! 3, a message, no panic, no hang, nothing half-written, no input changed.
//!
//! [`scene`] makes small, sound scans, models, stores and results; [`harm`] damages one of them;
//! [`execute`] runs a command; [`check`] looks at what is left; [`campaign`] does so many times and keeps the
//! cases that show a fault. [`kill`] kills commands and lets them continue.

pub mod campaign;
pub mod check;
pub mod execute;
pub mod files;
pub mod harm;
pub mod kill;
pub mod mutate;
pub mod report;
pub mod scene;
