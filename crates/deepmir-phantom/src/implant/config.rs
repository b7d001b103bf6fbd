//! What is implanted.

use serde::{Deserialize, Serialize};

use crate::PhantomError;
use crate::config::{CountAndSize, LesionConfig, PhantomConfig};
use crate::source::SourceKind;

/// What is put into scans. Read from TOML or JSON; what is left out has its usual value, and unknown names are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImplantConfig {
    /// Lesions and mimics, as in phantoms.
    pub lesions: LesionConfig,
    /// Short pieces of veins in white matter; the diameter is that of the vessel.
    pub vein_pieces: CountAndSize,
    /// Haemorrhages that are too large for microbleeds.
    pub haemorrhages: CountAndSize,
    /// Largest voxel that the signal around a source is computed on, in millimetres.
    pub fine_voxel_mm: f64,
}

impl Default for ImplantConfig {
    fn default() -> Self {
        let mut lesions = LesionConfig { lesion_free_probability: 0.0, ..LesionConfig::default() };
        lesions.microbleeds.count = [3, 8];
        lesions.iron_deposits.count = [1, 2];
        lesions.calcifications.count = [0, 2];
        lesions.cavernomas.count = [0, 0];
        lesions.vessel_loops.count = [0, 3];
        Self {
            lesions,
            vein_pieces: CountAndSize {
                count: [0, 3],
                median_diameter_mm: 0.7,
                log_spread: 0.25,
                diameter_mm: [0.4, 1.4],
                chi_ppm: [0.18, 0.3],
            },
            haemorrhages: CountAndSize {
                count: [0, 0],
                median_diameter_mm: 15.0,
                log_spread: 0.3,
                diameter_mm: [10.0, 30.0],
                chi_ppm: [0.3, 1.0],
            },
            fine_voxel_mm: 0.4,
        }
    }
}

impl ImplantConfig {
    /// Checks that every number can be used.
    ///
    /// # Errors
    /// [`PhantomError::Setting`], naming the setting, its value and what it must be.
    pub fn validate(&self) -> Result<(), PhantomError> {
        PhantomConfig { lesions: self.lesions.clone(), ..PhantomConfig::default() }.validate()?;
        self.vein_pieces.validate("vein_pieces", [0.0, 10.0])?;
        self.haemorrhages.validate("haemorrhages", [0.0, 10.0])?;
        if (0.1..=2.0).contains(&self.fine_voxel_mm) {
            return Ok(());
        }
        Err(PhantomError::Setting {
            name: "fine_voxel_mm",
            value: self.fine_voxel_mm.to_string(),
            must_be: "between 0.1 and 2 mm",
        })
    }
}

/// Sources of one kind in fixed sizes, strengths and sites: every combination is a rung of the ladder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LadderPart {
    /// `CMB`, `NHID` or `calcification`.
    pub kind: SourceKind,
    /// Where.
    pub sites: Vec<Site>,
    /// Diameters of the balls of equal volume in millimetres.
    pub diameter_mm: Vec<f64>,
    /// Susceptibilities added to the tissue's in ppm.
    pub chi_ppm: Vec<f64>,
}

/// A part of the brain that a rung lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Site {
    /// Cortex and white matter of the lobes.
    Lobar,
    /// Grey nuclei, capsules and the white matter within 6 mm of them.
    Deep,
    /// Brainstem and cerebellum.
    Infratentorial,
    /// The pallidum.
    Pallidum,
    /// The putamen.
    Putamen,
}

impl Site {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lobar => "lobar",
            Self::Deep => "deep",
            Self::Infratentorial => "infratentorial",
            Self::Pallidum => "pallidum",
            Self::Putamen => "putamen",
        }
    }
}

/// A fixed set of sources for measuring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ladder {
    /// Its parts.
    pub parts: Vec<LadderPart>,
    /// Rungs that one copy of a scan gets.
    pub per_scan: usize,
    /// Least distance between the surfaces of two sources in millimetres.
    pub clearance_mm: f64,
    /// Largest voxel that the signal around a source is computed on, in millimetres.
    pub fine_voxel_mm: f64,
}

impl Default for Ladder {
    fn default() -> Self {
        Self {
            parts: vec![
                LadderPart {
                    kind: SourceKind::Microbleed,
                    sites: vec![Site::Lobar, Site::Deep, Site::Infratentorial],
                    diameter_mm: vec![1.0, 1.5, 2.0, 3.0, 4.0, 6.0],
                    chi_ppm: vec![0.3, 0.6, 1.2, 2.4],
                },
                LadderPart {
                    kind: SourceKind::IronDeposit,
                    sites: vec![Site::Pallidum, Site::Putamen],
                    diameter_mm: vec![3.0, 5.0, 8.0],
                    chi_ppm: vec![0.35, 0.6, 0.9],
                },
            ],
            per_scan: 12,
            clearance_mm: 8.0,
            fine_voxel_mm: 0.4,
        }
    }
}

/// One rung of a ladder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rung {
    /// What.
    pub kind: SourceKind,
    /// Where.
    pub site: Site,
    /// Diameter in millimetres.
    pub diameter_mm: f64,
    /// Susceptibility in ppm.
    pub chi_ppm: f64,
}

impl Ladder {
    /// All rungs, part by part.
    pub fn rungs(&self) -> Vec<Rung> {
        let mut rungs = Vec::new();
        for part in &self.parts {
            for &site in &part.sites {
                for &diameter_mm in &part.diameter_mm {
                    let rung = |&chi_ppm| Rung { kind: part.kind, site, diameter_mm, chi_ppm };
                    rungs.extend(part.chi_ppm.iter().map(rung));
                }
            }
        }
        rungs
    }

    /// Checks that every number can be used.
    ///
    /// # Errors
    /// [`PhantomError::Setting`], naming the setting, its value and what it must be.
    pub fn validate(&self) -> Result<(), PhantomError> {
        let fault =
            |name, value: String, must_be| Err(PhantomError::Setting { name, value, must_be });
        let rungs = self.rungs();
        if rungs.is_empty() || rungs.len() > 10_000 {
            let must_be = "one to 10000 combinations of kind, site, diameter and susceptibility";
            return fault("ladder.parts", rungs.len().to_string(), must_be);
        }
        for rung in rungs {
            let calcium = rung.kind == SourceKind::Calcification;
            let known = matches!(
                rung.kind,
                SourceKind::Microbleed | SourceKind::IronDeposit | SourceKind::Calcification
            );
            if !known {
                let must_be = "CMB, NHID or calcification";
                return fault("ladder.parts.kind", rung.kind.name().to_owned(), must_be);
            }
            if !(0.5..=40.0).contains(&rung.diameter_mm) {
                let must_be = "between 0.5 and 40 mm";
                return fault("ladder.parts.diameter_mm", rung.diameter_mm.to_string(), must_be);
            }
            let fits = if calcium { -10.0..=-0.01 } else { 0.01..=10.0 };
            if !fits.contains(&rung.chi_ppm) {
                let must_be = "0.01 to 10 ppm, or -10 to -0.01 ppm for calcifications";
                return fault("ladder.parts.chi_ppm", rung.chi_ppm.to_string(), must_be);
            }
        }
        if !(1..=200).contains(&self.per_scan) {
            return fault("ladder.per_scan", self.per_scan.to_string(), "1 to 200");
        }
        if !(0.0..=100.0).contains(&self.clearance_mm) {
            let must_be = "between 0 and 100 mm";
            return fault("ladder.clearance_mm", self.clearance_mm.to_string(), must_be);
        }
        if !(0.1..=2.0).contains(&self.fine_voxel_mm) {
            let must_be = "between 0.1 and 2 mm";
            return fault("ladder.fine_voxel_mm", self.fine_voxel_mm.to_string(), must_be);
        }
        Ok(())
    }
}
