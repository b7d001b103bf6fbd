//! The regions of the Microbleed Anatomical Rating Scale (Gregoire et al., Neurology 73:1759, 2009).

use deepmir_lesion::Region;
use serde::{Deserialize, Serialize};

macro_rules! regions {
    ($($variant:ident, $key:literal, $name:literal, $region:ident;)*) => {
        /// One of the thirteen regions that MARS counts in.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "the names say it")]
        pub enum MarsRegion { $(#[serde(rename = $key)] $variant,)* }

        impl MarsRegion {
            /// All, in the order of the scale's form.
            pub const ALL: [Self; 13] = [$(Self::$variant,)*];

            /// As tables have it.
            pub fn key(self) -> &'static str {
                match self { $(Self::$variant => $key,)* }
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
