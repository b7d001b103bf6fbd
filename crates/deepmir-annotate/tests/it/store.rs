//! What raters did stays, in order, and comes out as label maps.

use std::collections::BTreeMap;

use deepmir_annotate::case::LoadedCase;
use deepmir_annotate::export::{Combine, export, finished, import, write_pending};
use deepmir_annotate::layer::{Annotation, CaseContext, Layer, Operation, Origin, apply};
use deepmir_annotate::store::{LayerKey, LayerState, Stage};
use deepmir_annotate::{AnnotateError, Dataset, Store};
use deepmir_lesion::{
    Certainty, LabelMap, LesionClass, LesionRow, Lobe, MarsRegion, Region, Side, table,
};
use deepmir_volume::{Affine, Grid, nifti};

use crate::support::{Layout, open, write_as};

struct Bench {
    folder: tempfile::TempDir,
    dataset: Dataset,
    store: Store,
}

impl Bench {
    fn new(subjects: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        (1..=subjects).for_each(|n| write_as(folder.path(), n, Layout::Codes("LPS")));
        let dataset = open(folder.path());
        let store = Store::open(&dataset.out).unwrap();
        Self { dataset, store, folder }
    }

    fn own(&self, case: &str, rater: &str) -> LayerKey {
        self.store.add_rater(rater).unwrap();
        let case_files = LoadedCase::read(self.dataset.case(case).unwrap()).unwrap();
        self.store.check_grid(case, case_files.header.grid(), self.folder.path()).unwrap();
        let key = LayerKey { case: case.to_owned(), rater: rater.to_owned(), stage: Stage::Own };
        self.store.open_layer(&key, &Layer::default(), &[]).unwrap();
        key
    }

    fn act(
        &self,
        key: &LayerKey,
        revision: u64,
        operation: &Operation,
    ) -> Result<LayerState, AnnotateError> {
        let case = LoadedCase::read(self.dataset.case(&key.case).unwrap())?;
        self.store.operate(key, revision, operation, |state| {
            let around = CaseContext {
                grid: &case.grid,
                images: &|kind| case.image(kind),
                candidates: &[],
                two_visits: false,
            };
            apply(&state.layer, state.next_lesion, operation, around)
        })
    }
}

fn paint(start: u32, length: u32, class: LesionClass) -> Operation {
    Operation::Paint { runs: vec![(start, length)], class, lesion: None, apart: false }
}

use LesionClass::{Cmb, Nhid};

#[test]
fn operations_can_be_undone_to_the_beginning_and_done_again() {
    let bench = Bench::new(1);
    let key = bench.own("sub-01", "anna");
    let said = deepmir_annotate::layer::AnnotationChange {
        comment: Some("doubtful".to_owned()),
        class: Some(Nhid),
        ..Default::default()
    };
    let operations = [
        paint(50_000, 4, Cmb),
        paint(50_004, 2, Cmb),
        paint(10_000, 3, Nhid),
        Operation::Erase { runs: vec![(50_001, 1)] },
        Operation::Annotate { lesion: 1, change: said },
        Operation::Delete { lesion: 2 },
    ];
    let mut states = vec![bench.store.layer(&key).unwrap().unwrap()];
    for (n, operation) in operations.iter().enumerate() {
        states.push(bench.act(&key, n as u64, operation).unwrap());
    }
    // The second stroke touched the first and joined it; numbers of deleted lesions stay unused.
    assert_eq!(states[2].layer.lesions.len(), 1);
    assert_eq!(states[6].layer.lesions.len(), 1);
    let count = operations.len() as u64;
    for n in 0..count {
        let state = bench.store.undo(&key, count + n, false).unwrap();
        assert_eq!(state.layer, states[(count - 1 - n) as usize].layer);
    }
    assert!(bench.store.undo(&key, 2 * count, false).is_err(), "nothing is left to undo");
    for n in 0..count {
        let state = bench.store.undo(&key, 2 * count + n, true).unwrap();
        assert_eq!(state.layer, states[(n + 1) as usize].layer);
    }
    // Something else after an undo: what was undone cannot be done again.
    bench.store.undo(&key, 3 * count, false).unwrap();
    let state = bench.act(&key, 3 * count + 1, &paint(90, 1, Cmb)).unwrap();
    assert!(!state.can_redo && state.layer.lesions.contains_key(&3));
}

#[test]
fn a_stale_revision_changes_nothing() {
    let bench = Bench::new(1);
    let key = bench.own("sub-01", "anna");
    bench.act(&key, 0, &paint(100, 2, Cmb)).unwrap();
    let before = bench.store.layer(&key).unwrap();
    // A second program on the same file, as on a shared folder.
    let other = Store::open(&bench.dataset.out).unwrap();
    let outcome =
        other.operate(&key, 0, &paint(200, 2, Cmb), |_| panic!("it must not come to this"));
    assert!(matches!(outcome, Err(AnnotateError::Conflict { seen: 0, now: 1 })));
    assert!(matches!(other.undo(&key, 0, false), Err(AnnotateError::Conflict { .. })));
    assert!(matches!(other.set_done(&key, 0, true), Err(AnnotateError::Conflict { .. })));
    assert_eq!(bench.store.layer(&key).unwrap(), before);
    // What is done is not changed any more.
    bench.store.set_done(&key, 1, true).unwrap();
    assert!(bench.act(&key, 2, &paint(200, 2, Cmb)).unwrap_err().to_string().contains("reopen"));
}

#[test]
fn marks_of_another_grid_are_refused_in_words() {
    let bench = Bench::new(1);
    bench.own("sub-01", "anna");
    let swi = bench.folder.path().join("sub-01/anat/sub-01_acq-swi_T2starw.nii.gz");
    let volume = nifti::read(&swi).unwrap().volume;
    let moved = Affine::from_spacing([0.75, 0.75, 1.5], [5.0, 0.0, 0.0]);
    let moved = volume.with_grid(Grid::new([64, 64, 24], moved).unwrap()).unwrap();
    nifti::write(&swi, &moved, None).unwrap();
    let case = LoadedCase::read(&deepmir_annotate::CaseFiles {
        candidates: None,
        candidate_table: None,
        result: None,
        visits: None,
        ..bench.dataset.case("sub-01").unwrap().clone()
    });
    let error = bench.store.check_grid("sub-01", case.unwrap().header.grid(), &swi).unwrap_err();
    assert!(error.to_string().contains("another grid"), "{error}");
    // So is a label map to import.
    let truth = bench
        .folder
        .path()
        .join("derivatives/truth/sub-01/anat/sub-01_acq-swi_seg-lesions_dseg.nii.gz");
    let maps = BTreeMap::from([("sub-01".to_owned(), truth)]);
    let error = import(&bench.dataset, &bench.store, "ben", &maps).unwrap_err().to_string();
    assert!(error.contains("another grid") && error.contains("nearest"), "{error}");
}

#[test]
fn imported_maps_come_out_as_they_were_and_combine_by_the_rules() {
    let bench = Bench::new(2);
    let path = |id: &str| {
        let name = format!("derivatives/truth/{id}/anat/{id}_acq-swi_seg-lesions_dseg.nii.gz");
        bench.folder.path().join(name)
    };
    let maps: BTreeMap<_, _> = ["sub-01", "sub-02"].map(|id| (id.to_owned(), path(id))).into();
    assert_eq!(import(&bench.dataset, &bench.store, "anna", &maps).unwrap(), 2);
    let again = import(&bench.dataset, &bench.store, "anna", &maps).unwrap_err().to_string();
    assert!(again.contains("already"), "{again}");
    let one = BTreeMap::from([("sub-01".to_owned(), path("sub-01"))]);
    import(&bench.dataset, &bench.store, "ben", &one).unwrap();
    let ben = LayerKey { case: "sub-01".to_owned(), rater: "ben".to_owned(), stage: Stage::Own };
    // Ben is not sure of the first, does not see the second, and sees one more.
    let change = deepmir_annotate::layer::AnnotationChange {
        certainty: Some(Certainty::Possible),
        region: Some(Some(MarsRegion::Insula)),
        ..Default::default()
    };
    bench.act(&ben, 0, &Operation::Annotate { lesion: 1, change }).unwrap();
    bench.act(&ben, 1, &Operation::Delete { lesion: 2 }).unwrap();
    bench.act(&ben, 2, &paint(0, 3, Nhid)).unwrap();
    bench.store.set_done(&ben, 3, true).unwrap();
    let anna = LayerKey { rater: "anna".to_owned(), ..ben.clone() };
    bench.store.set_done(&anna, 0, true).unwrap();
    assert!(finished(&bench.store, "sub-02", "anna").unwrap().is_none());

    assert!(write_pending(&bench.dataset, &bench.store).unwrap() >= 2);
    let written =
        bench.dataset.out.join("sub-01/anat/sub-01_acq-swi_seg-lesions_desc-anna_dseg.nii.gz");
    let (truth, _) = LabelMap::read(&path("sub-01")).unwrap();
    assert_eq!(LabelMap::read(&written).unwrap().0, truth);

    let written =
        bench.dataset.out.join("sub-01/anat/sub-01_acq-swi_seg-lesions_desc-ben_lesions.tsv");
    let rows = table::read(&written).unwrap();
    let unsure: Vec<&LesionRow> =
        rows.iter().filter(|row| row.certainty == Some(Certainty::Possible)).collect();
    assert_eq!(unsure.len(), 1, "the others are definite");
    assert_eq!(
        (unsure[0].mars_region, unsure[0].lobe),
        (Some(MarsRegion::Insula), Some(Lobe::Insula))
    );
    assert_eq!(unsure[0].region, Some(Region::Lobar));
    let side = if unsure[0].x_mm < 0.0 { Side::Left } else { Side::Right };
    assert_eq!(unsure[0].side, Some(side));

    let out = bench.folder.path().join("training");
    let both = ["anna".to_owned(), "ben".to_owned()];
    let exported = |raters: &[String], combine, possible| {
        let done = export(&bench.dataset, &bench.store, &out, raters, combine, possible).unwrap();
        assert_eq!((done.written, done.unfinished), (1, vec!["sub-02".to_owned()]));
        let file = out.join("sub-01/anat/sub-01_acq-swi_seg-lesions_dseg.nii.gz");
        LabelMap::read(&file).unwrap().0.volume().data().iter().filter(|&&label| label > 0).count()
    };
    let all = truth.volume().data().iter().filter(|&&label| label > 0).count();
    let state = finished(&bench.store, "sub-01", "anna").unwrap().unwrap();
    let sizes: BTreeMap<u16, usize> = state
        .layer
        .voxels_of_lesions()
        .into_iter()
        .map(|(id, voxels)| (id, voxels.len()))
        .collect();
    assert_eq!(exported(&both[..1], Combine::One, true), all);
    assert_eq!(exported(&both, Combine::Union, true), all + 3);
    assert_eq!(exported(&both, Combine::Intersection, true), all - sizes[&2]);
    assert_eq!(exported(&both[1..], Combine::One, false), all - sizes[&2] - sizes[&1] + 3);
    let stranger = ["carl".to_owned()];
    assert!(export(&bench.dataset, &bench.store, &out, &stranger, Combine::One, true).is_err());
}

#[test]
fn a_contour_is_filled_slice_by_slice_and_other_lesions_keep_their_voxels() {
    let bench = Bench::new(1);
    let key = bench.own("sub-01", "anna");
    let grid = LoadedCase::read(bench.dataset.case("sub-01").unwrap()).unwrap().grid;
    let at = |i, j| grid.index([i, j, 12]) as u32;
    let mut ring = vec![(at(10, 10), 5), (at(10, 14), 5)];
    ring.extend((11..14).flat_map(|j| [(at(10, j), 1), (at(14, j), 1)]));
    let inside =
        Operation::Paint { runs: vec![(at(12, 12), 1)], class: Nhid, lesion: None, apart: true };
    bench.act(&key, 0, &inside).unwrap();
    let contour = Operation::Paint { runs: ring, class: Cmb, lesion: None, apart: false };
    bench.act(&key, 1, &contour).unwrap();
    let state = bench.act(&key, 2, &Operation::Fill { lesion: 2 }).unwrap();
    let voxels = state.layer.voxels_of_lesions();
    assert_eq!((voxels[&1].len(), voxels[&2].len()), (1, 24));
    assert_eq!(state.layer.lesions[&2], Annotation::new(Cmb, Origin::Drawn));
    // Painting over it joins nothing and takes nothing.
    let over =
        Operation::Paint { runs: vec![(at(10, 12), 5)], class: Nhid, lesion: None, apart: true };
    assert!(bench.act(&key, 3, &over).unwrap_err().to_string().contains("another lesion"));
}

#[test]
fn the_database_of_another_program_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(deepmir_annotate::store::FILE);
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch("CREATE TABLE photos (id INTEGER); INSERT INTO photos VALUES (7);")
        .unwrap();
    drop(other);
    let before = std::fs::read(&path).unwrap();
    let told = Store::open(folder.path()).unwrap_err().to_string();
    assert!(told.contains("no annotation store") && told.contains("annotate.sqlite"), "{told}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    std::fs::write(&path, b"no database at all, a text that is long enough to be one").unwrap();
    let told = Store::open(folder.path()).unwrap_err().to_string();
    assert!(told.contains("no annotation store"), "{told}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_store_that_is_opened_twice_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (Store::open(folder.path()).unwrap(), Store::open(folder.path()).unwrap());
    one.add_rater("anna").unwrap();
    other.add_rater("bert").unwrap();
    assert_eq!(one.raters().unwrap(), ["anna", "bert"]);
}
