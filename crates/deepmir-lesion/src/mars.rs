//! The regions of the Microbleed Anatomical Rating Scale (Gregoire et al., Neurology 73:1759, 2009).

use serde::{Deserialize, Serialize};

use crate::Region;

macro_rules! regions {
    ($($variant:ident, $key:literal, $name:literal, $region:ident;)*) => {
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
        }
    };
}

regions! {
    Brainstem, "brainstem", "brainstem", Infratentorial;
    Cerebellum, "cerebellum", "cerebellum", Infratentorial;
    BasalGanglia, "basal_ganglia", "basal ganglia", Deep;
    Thalamus, "thalamus", "thalamus", Deep;
    InternalCapsule, "internal_capsule", "internal capsule", Deep;
    ExternalCapsule, "external_capsule", "external capsule", Deep;
    CorpusCallosum, "corpus_callosum", "corpus callosum", Deep;
    DeepWhiteMatter, "deep_white_matter", "deep and periventricular white matter", Deep;
    Frontal, "frontal", "frontal lobe", Lobar;
    Parietal, "parietal", "parietal lobe", Lobar;
    Temporal, "temporal", "temporal lobe", Lobar;
    Occipital, "occipital", "occipital lobe", Lobar;
    Insula, "insula", "insula", Lobar;
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
