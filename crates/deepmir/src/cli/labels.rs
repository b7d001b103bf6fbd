//! Which subjects and sessions.

use clap::Args;

/// Which subjects and sessions, by their labels with or without prefix.
#[derive(Clone, Debug, Default, Args)]
pub struct Labels {
    /// Only these subjects, with or without sub-
    #[arg(long, value_name = "SUBJECT", num_args = 1.., value_delimiter = ',', alias = "participant-labels")]
    pub participant_label: Vec<String>,
    /// Only these sessions, with or without ses-
    #[arg(long, value_name = "SESSION", num_args = 1.., value_delimiter = ',', alias = "session-id")]
    pub session_label: Vec<String>,
}

impl Labels {
    /// Whether all scans are wanted.
    pub fn is_empty(&self) -> bool {
        self.participant_label.is_empty() && self.session_label.is_empty()
    }
}
