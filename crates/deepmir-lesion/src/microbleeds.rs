//! The microbleeds of one scan, counted as rating scales and criteria count them.

use serde::{Deserialize, Serialize};

use crate::{Certainty, LesionClass, LesionRow, MarsRegion, Region};

/// What the regions of a scan's lesions are from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionSource {
    /// A parcellation of the brain.
    Parcellation,
    /// The position in the brain's bounding box ([`crate::BrainExtent`]).
    #[default]
    BrainBox,
}

impl RegionSource {
    /// As tables have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parcellation => "parcellation",
            Self::BrainBox => "brain_box",
        }
    }
}

/// Where the microbleeds of a scan lie (Gregoire et al., Neurology 73:1759, 2009).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pattern {
    /// There are none.
    None,
    /// Strictly lobar, as in cerebral amyloid angiopathy.
    Lobar,
    /// Strictly deep or infratentorial, as in arteriolosclerosis.
    Deep,
    /// Both.
    Mixed,
}

impl Pattern {
    /// As tables have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lobar => "lobar",
            Self::Deep => "deep",
            Self::Mixed => "mixed",
        }
    }

    /// That of regions.
    fn of(regions: &[Region]) -> Self {
        let lobar = regions.contains(&Region::Lobar);
        let deep = regions.iter().any(|&region| region != Region::Lobar);
        match (lobar, deep) {
            (false, false) => Self::None,
            (true, false) => Self::Lobar,
            (false, true) => Self::Deep,
            (true, true) => Self::Mixed,
        }
    }
}

/// What microbleeds tell of the Boston criteria for cerebral amyloid angiopathy, version 2.0 (Charidimou et al., Lancet
/// Neurol 21:714, 2022). The criteria ask for much more (age, presentation, haemorrhages, siderosis, white matter,
/// other causes): these are fields of them and no diagnosis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Boston2 {
    /// Microbleeds in lobes, the insula among them.
    pub lobar: usize,
    /// Microbleeds in deep regions and in the brainstem.
    pub deep: usize,
    /// The lobar ones if there is no deep one, else 0. Those in the cerebellum count neither as lobar nor as deep.
    pub strictly_lobar: usize,
}

impl Boston2 {
    fn of(places: &[MarsRegion]) -> Self {
        let count = |is: &dyn Fn(MarsRegion) -> bool| places.iter().filter(|&&at| is(at)).count();
        let lobar = count(&|at| at.region() == Region::Lobar);
        let deep = count(&|at| at.region() == Region::Deep || at == MarsRegion::Brainstem);
        Self { lobar, deep, strictly_lobar: if deep == 0 { lobar } else { 0 } }
    }
}

/// Counts of a scan's microbleeds. `None` where something of a microbleed that it takes is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MicrobleedCounts {
    /// Those that are definite, and those that are possible.
    pub certainty: Option<(usize, usize)>,
    /// Where they lie.
    pub pattern: Option<Pattern>,
    /// In each region of [`MarsRegion::ALL`], if the scan was parcellated. Those outside the parcellation are in none.
    pub mars: Option<[usize; 13]>,
    /// Fields of the Boston criteria, if the scan was parcellated and every microbleed lies in it.
    pub boston2: Option<Boston2>,
}

impl MicrobleedCounts {
    /// Counts the microbleeds in a lesion table.
    pub fn of(rows: &[LesionRow], source: RegionSource) -> Self {
        let microbleeds = || rows.iter().filter(|row| row.class == LesionClass::Cmb);
        let certainties: Option<Vec<Certainty>> = microbleeds().map(|row| row.certainty).collect();
        let certainty = certainties.map(|all| {
            let definite = all.iter().filter(|&&one| one == Certainty::Definite).count();
            (definite, all.len() - definite)
        });
        let regions: Option<Vec<Region>> = microbleeds().map(|row| row.region).collect();
        let parcellated = source == RegionSource::Parcellation;
        let mars = parcellated.then(|| {
            MarsRegion::ALL
                .map(|region| microbleeds().filter(|row| row.mars_region == Some(region)).count())
        });
        let places: Option<Vec<MarsRegion>> = microbleeds().map(|row| row.mars_region).collect();
        Self {
            certainty,
            pattern: regions.map(|regions| Pattern::of(&regions)),
            mars,
            boston2: places.filter(|_| parcellated).map(|places| Boston2::of(&places)),
        }
    }

    /// The counts, by the names of their columns; `None` where one is not known.
    pub fn columns(&self) -> Vec<(&'static str, Option<usize>)> {
        let mut columns = vec![
            ("cmb_definite", self.certainty.map(|(definite, _)| definite)),
            ("cmb_possible", self.certainty.map(|(_, possible)| possible)),
        ];
        let mars = MarsRegion::ALL.into_iter().enumerate();
        columns
            .extend(mars.map(|(n, region)| (region.count_column(), self.mars.map(|all| all[n]))));
        columns.extend([
            ("boston2_lobar_cmb", self.boston2.map(|fields| fields.lobar)),
            ("boston2_deep_cmb", self.boston2.map(|fields| fields.deep)),
            ("boston2_strictly_lobar_cmb", self.boston2.map(|fields| fields.strictly_lobar)),
        ]);
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::row;

    fn microbleed(place: MarsRegion, certainty: Certainty) -> LesionRow {
        LesionRow {
            class: LesionClass::Cmb,
            mars_region: Some(place),
            region: Some(place.region()),
            certainty: Some(certainty),
            ..row()
        }
    }

    fn at(places: &[MarsRegion]) -> MicrobleedCounts {
        let rows: Vec<LesionRow> =
            places.iter().map(|&place| microbleed(place, Certainty::Definite)).collect();
        MicrobleedCounts::of(&rows, RegionSource::Parcellation)
    }

    #[test]
    fn patterns_are_strictly_lobar_strictly_deep_or_mixed() {
        use MarsRegion::{Brainstem, Cerebellum, Frontal, Occipital, Thalamus};
        let pattern = |places: &[MarsRegion]| at(places).pattern.unwrap().name();
        assert_eq!(pattern(&[]), "none");
        assert_eq!(pattern(&[Frontal, Occipital]), "lobar");
        assert_eq!(pattern(&[Thalamus, Brainstem]), "deep");
        assert_eq!(pattern(&[Frontal, Cerebellum]), "mixed");
    }

    #[test]
    fn the_cerebellum_counts_neither_as_lobar_nor_as_deep_for_boston() {
        use MarsRegion::{Brainstem, Cerebellum, Frontal, Insula, Thalamus};
        let boston = |places: &[MarsRegion]| {
            let Boston2 { lobar, deep, strictly_lobar } = at(places).boston2.unwrap();
            [lobar, deep, strictly_lobar]
        };
        assert_eq!(boston(&[]), [0, 0, 0]);
        assert_eq!(boston(&[Frontal, Insula]), [2, 0, 2]);
        assert_eq!(boston(&[Frontal, Frontal, Cerebellum]), [2, 0, 2]);
        assert_eq!(boston(&[Cerebellum]), [0, 0, 0]);
        assert_eq!(boston(&[Frontal, Thalamus]), [1, 1, 0]);
        assert_eq!(boston(&[Frontal, Brainstem]), [1, 1, 0]);
    }

    #[test]
    fn deposits_are_not_counted_and_each_region_has_its_microbleeds() {
        let rows = [
            microbleed(MarsRegion::Temporal, Certainty::Definite),
            microbleed(MarsRegion::Temporal, Certainty::Possible),
            LesionRow { class: LesionClass::Nhid, certainty: None, ..row() },
        ];
        let counts = MicrobleedCounts::of(&rows, RegionSource::Parcellation);
        assert_eq!(counts.certainty, Some((1, 1)));
        let mars = counts.mars.unwrap();
        for (region, count) in MarsRegion::ALL.into_iter().zip(mars) {
            assert_eq!(count, if region == MarsRegion::Temporal { 2 } else { 0 });
        }
        let columns = counts.columns();
        assert!(columns.contains(&("cmb_mars_temporal", Some(2))), "{columns:?}");
        assert!(columns.contains(&("boston2_strictly_lobar_cmb", Some(2))), "{columns:?}");
        let unknown = MicrobleedCounts::default().columns();
        assert!(unknown.iter().all(|(_, count)| count.is_none()) && unknown.len() == columns.len());
    }

    #[test]
    fn what_is_not_known_is_not_counted_as_none() {
        let outside = LesionRow {
            mars_region: None,
            certainty: None,
            region: Some(Region::Lobar),
            ..microbleed(MarsRegion::Frontal, Certainty::Definite)
        };
        let rows = [microbleed(MarsRegion::Frontal, Certainty::Definite), outside.clone()];
        let counts = MicrobleedCounts::of(&rows, RegionSource::Parcellation);
        assert_eq!((counts.certainty, counts.boston2), (None, None));
        assert_eq!(counts.pattern, Some(Pattern::Lobar), "the box tells it");
        assert_eq!(counts.mars.unwrap().iter().sum::<usize>(), 1);
        for rows in [&rows[..], &[]] {
            let counts = MicrobleedCounts::of(rows, RegionSource::BrainBox);
            assert_eq!((counts.mars, counts.boston2), (None, None));
        }
        let nowhere = [LesionRow { region: None, ..outside }];
        let counts = MicrobleedCounts::of(&nowhere, RegionSource::BrainBox);
        assert_eq!(counts.pattern, None);
    }
}
