//! Arguments of `deepmir doctor`.

use clap::Args;

use super::sections::sections;

/// Check that deepmir works on this machine.
///
/// Looks at the processor and its vector instructions, memory, disk, the shipped models' checksums and
/// browsers, and finds five simulated microbleeds in a small image, which takes some seconds.
#[derive(Debug, Args)]
#[command(after_long_help = sections(&[
    ("Examples", "  deepmir doctor"),
    ("Exit status", "  0  everything that is needed works; what is only missing is told
  1  something is broken; the line says what to do"),
]))]
pub struct Doctor {}
