//! What a source does to the signal of a voxel that it fills.

use super::{Source, SourceKind};
use crate::config::uniform;
use crate::random::{Purpose, stream};
use crate::tissue::{BLOOD_R2_HZ_PER_PPM_3T, DEPOSIT_R2_HZ_PER_PPM_3T, R2_PRIME_HZ_PER_PPM_3T};

/// What a spin echo sees of blood that flows through the slice, drawn for each vessel.
const FLOW_VOID: [f64; 2] = [0.0, 0.3];

/// Protons that a calcification has, of those of tissue.
const PROTONS_OF_CALCIUM: f64 = 0.45;

/// Protons that anything else has: old blood and iron deposits have about as many as tissue.
const PROTONS_OF_BLOOD: f64 = 0.95;

/// R2 that calcium adds, in 1/s.
const R2_OF_CALCIUM_HZ: f64 = 12.0;

/// How a source changes the signal of what it fills.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SourceSignal {
    /// Part of the protons that is left.
    pub(crate) protons_left: f64,
    /// R2 that it adds, in 1/s.
    pub(crate) r2_hz: f64,
    /// R2* that it adds inside a fine voxel, in 1/s: that R2, and what its grains dephase.
    pub(crate) r2star_hz: f64,
    /// Part of a spin echo that is left by flow.
    flow: f64,
}

impl SourceSignal {
    /// Of a source of the subject or dataset that `seed` draws. The same in every session, as the
    /// number of a source is.
    pub(crate) fn of(source: &Source, field_strength_t: f64, seed: u64) -> Self {
        let ratio = field_strength_t / 3.0;
        let mut generator = stream(seed, Purpose::IronForm, source.id);
        let mut drawn = |range| uniform(range, &mut generator);
        let iron = ratio * source.chi_ppm;
        let mut flow = 1.0;
        let (protons_left, r2_hz) = match source.kind {
            SourceKind::Calcification => (PROTONS_OF_CALCIUM, R2_OF_CALCIUM_HZ),
            SourceKind::IronDeposit => (PROTONS_OF_BLOOD, iron * drawn(DEPOSIT_R2_HZ_PER_PPM_3T)),
            SourceKind::Microbleed | SourceKind::Cavernoma | SourceKind::Haemorrhage => {
                (PROTONS_OF_BLOOD, iron * drawn(BLOOD_R2_HZ_PER_PPM_3T))
            }
            SourceKind::VesselLoop => {
                flow = drawn(FLOW_VOID);
                (PROTONS_OF_BLOOD, 0.0)
            }
            SourceKind::VeinPiece => (PROTONS_OF_BLOOD, 0.0),
        };
        let r2_prime = R2_PRIME_HZ_PER_PPM_3T * ratio * source.chi_ppm.abs();
        Self { protons_left, r2_hz, r2star_hz: r2_prime + r2_hz, flow }
    }

    /// Part of a spin echo that is left where the source fills a voxel.
    pub(crate) fn spin_echo_left(&self, echo_time_s: f64) -> f64 {
        self.flow * self.protons_left * (-echo_time_s * self.r2_hz).exp()
    }
}
