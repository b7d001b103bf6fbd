//! The regions of the Microbleed Anatomical Rating Scale (Gregoire et al., Neurology 73:1759, 2009).

use serde::{Deserialize, Serialize};

use crate::Region;

macro_rules! regions {
    ($($variant:ident, $key:literal, $name:literal, $region:ident, $colour:expr;)*) => {
        /// One of the thirteen regions that MARS counts in.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "the names say it")]
        pub enum MarsRegion { $(#[serde(rename = $key)] $variant,)* }

        impl MarsRegion {
            /// All, in the order of the scale's form.
            pub const ALL: [Self; 13] = [$(Self::$variant,)*];

            /// As tables have it.
            pub fn key(self) -> &'static str {
                match self { $(Self::$variant => $key,)* }
            }

            /// The column of a scan's table that counts its microbleeds.
            pub const fn count_column(self) -> &'static str {
                match self { $(Self::$variant => concat!("cmb_mars_", $key),)* }
            }

            /// As people read it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Lobar, deep or infratentorial.
            pub fn region(self) -> Region {
                match self { $(Self::$variant => Region::$region,)* }
            }

            /// Red, green and blue in overlays.
            pub const fn colour(self) -> [u8; 3] {
                match self { $(Self::$variant => $colour,)* }
            }
        }
    };
}

regions! {
    Brainstem, "brainstem", "brainstem", Infratentorial, [119, 159, 176];
    Cerebellum, "cerebellum", "cerebellum", Infratentorial, [230, 159, 0];
    BasalGanglia, "basal_ganglia", "basal ganglia", Deep, [204, 121, 167];
    Thalamus, "thalamus", "thalamus", Deep, [0, 158, 115];
    InternalCapsule, "internal_capsule", "internal capsule", Deep, [240, 228, 66];
    ExternalCapsule, "external_capsule", "external capsule", Deep, [166, 118, 29];
    CorpusCallosum, "corpus_callosum", "corpus callosum", Deep, [190, 190, 255];
    DeepWhiteMatter, "deep_white_matter", "deep and periventricular white matter", Deep, [140, 140, 140];
    Frontal, "frontal", "frontal lobe", Lobar, [86, 180, 233];
    Parietal, "parietal", "parietal lobe", Lobar, [213, 94, 0];
    Temporal, "temporal", "temporal lobe", Lobar, [120, 94, 240];
    Occipital, "occipital", "occipital lobe", Lobar, [220, 38, 127];
    Insula, "insula", "insula", Lobar, [100, 220, 160];
}

impl MarsRegion {
    /// The lobe that a lobar region is; `None` for the deep and the infratentorial ones.
    pub const fn lobe(self) -> Option<Lobe> {
        match self {
            Self::Frontal => Some(Lobe::Frontal),
            Self::Parietal => Some(Lobe::Parietal),
            Self::Temporal => Some(Lobe::Temporal),
            Self::Occipital => Some(Lobe::Occipital),
            Self::Insula => Some(Lobe::Insula),
            _ => None,
        }
    }
}

/// A lobe of the cerebrum; MARS counts the insula as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lobe {
    /// In front of the central sulcus, with its white matter.
    Frontal,
    /// Between the central and the parieto-occipital sulcus.
    Parietal,
    /// Below the lateral sulcus.
    Temporal,
    /// Behind the parieto-occipital sulcus.
    Occipital,
    /// In the depth of the lateral sulcus.
    Insula,
}

impl Lobe {
    /// All, in the order of the scale's form.
    pub const ALL: [Self; 5] =
        [Self::Frontal, Self::Parietal, Self::Temporal, Self::Occipital, Self::Insula];

    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Frontal => "frontal",
            Self::Parietal => "parietal",
            Self::Temporal => "temporal",
            Self::Occipital => "occipital",
            Self::Insula => "insula",
        }
    }

    /// The region of MARS that it is.
    pub const fn mars(self) -> MarsRegion {
        match self {
            Self::Frontal => MarsRegion::Frontal,
            Self::Parietal => MarsRegion::Parietal,
            Self::Temporal => MarsRegion::Temporal,
            Self::Occipital => MarsRegion::Occipital,
            Self::Insula => MarsRegion::Insula,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lobar_regions_are_the_lobes() {
        let lobar: Vec<MarsRegion> =
            MarsRegion::ALL.into_iter().filter(|mars| mars.region() == Region::Lobar).collect();
        assert_eq!(lobar, Lobe::ALL.map(Lobe::mars));
        for mars in MarsRegion::ALL {
            assert_eq!(mars.lobe().map(Lobe::mars), lobar.contains(&mars).then_some(mars));
        }
    }
}
