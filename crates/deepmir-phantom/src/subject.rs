//! One person: a head, its tissues, veins and lesions at every session.

use std::path::PathBuf;

use deepmir_volume::Affine;
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::PhantomError;
use crate::config::{PhantomConfig, uniform};
use crate::geometry::rigid;
use crate::head::{Head, read_label_map};
use crate::random::{Purpose, stream};
use crate::source::{Source, draw_sources, next_session};
use crate::tissue::TissueTable;
use crate::veins::{self, VeinSegment};

/// Where a head comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anatomy {
    /// Formulas and noise; no data needed.
    #[default]
    BuiltIn,
    /// A label map with FreeSurfer's numbers.
    LabelMap(PathBuf),
}

/// One person, ready to be scanned.
#[derive(Clone, Debug)]
pub struct Subject {
    /// What all draws began with.
    pub seed: u64,
    /// Age at the first session in years.
    pub age_years: f64,
    /// The head.
    pub head: Head,
    /// Veins in the head's millimetres.
    pub veins: Vec<VeinSegment>,
    /// Lesions and mimics at each session.
    pub sessions: Vec<Vec<Source>>,
}

impl Subject {
    /// Draws a person with `sessions` sessions (at least one). The same configuration, anatomy and
    /// seed draw the same person.
    ///
    /// # Errors
    /// If the configuration is impossible, or the label map cannot be read or is no whole brain.
    pub fn draw(
        config: &PhantomConfig,
        anatomy: &Anatomy,
        seed: u64,
        sessions: usize,
    ) -> Result<Self, PhantomError> {
        config.validate()?;
        let mut generator = stream(seed, Purpose::Choice, 0);
        let age_years = uniform(config.person.age_years, &mut generator);
        let atrophy = uniform(config.person.atrophy, &mut generator);
        let head = match anatomy {
            Anatomy::BuiltIn => {
                // Sulci and ventricles widen from the age of fifty on.
                let of_age = 0.012 * (age_years - 50.0).max(0.0);
                Head::built_in(atrophy + of_age, &config.person, seed)?
            }
            Anatomy::LabelMap(path) => {
                Head::of_labels(read_label_map(path)?, &config.person, seed)?
            }
        };
        let veins = veins::draw(&head, &config.veins, &mut stream(seed, Purpose::Veins, 0));
        let mut generator = stream(seed, Purpose::Lesions, 0);
        let mut all = vec![draw_sources(&head, &config.lesions, &mut generator)];
        for session in 1..sessions.max(1) {
            let mut generator = stream(seed, Purpose::Session, session as u32);
            let next = next_session(&head, config, &all[session - 1], &mut generator);
            all.push(next);
        }
        Ok(Self { seed, age_years, head, veins, sessions: all })
    }

    /// Tissues at a session: the person's own, with the iron of the age then.
    pub fn tissues(&self, config: &PhantomConfig, session: usize) -> TissueTable {
        let age = self.age_years + config.sessions.interval_years * session as f64;
        let mut generator = stream(self.seed, Purpose::Texture, 0);
        TissueTable::draw(age, config.scan.field_strength_t, &mut generator)
    }

    /// How the head lies in the scanner at a session: from the scanner's millimetres to the
    /// head's.
    pub fn pose(&self, config: &PhantomConfig, session: usize) -> Affine {
        let mut generator = stream(self.seed, Purpose::Pose, session as u32);
        let mut draw = |most: f64| most * (2.0 * generator.random::<f64>() - 1.0);
        let angles = [0; 3].map(|_| draw(config.person.rotation_deg));
        let shift = [0; 3].map(|_| draw(config.person.shift_mm));
        rigid(angles, shift)
    }
}
