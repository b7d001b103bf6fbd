//! Sources in real scans: lesions of known size in images that exist already.

mod config;
mod echoes;
mod effect;
mod maps;
mod noise;
mod patch;
mod ringing;
mod sites;
mod truth;

pub use config::{ImplantConfig, Ladder, LadderPart, Rung, Site};
pub use echoes::implant_echoes;
pub use maps::{MapImplants, MapProtocol};
pub use sites::{Drawn, Sites, dark_structures};
pub use truth::truth_of;
