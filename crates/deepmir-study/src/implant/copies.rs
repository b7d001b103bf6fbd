//! The copies of one scan.

use std::path::Path;
use std::time::Instant;

use deepmir_cases::Modality;
use deepmir_cases::bids::Scan;
use deepmir_phantom::Source;
use deepmir_phantom::implant::{Drawn, MapImplants, implant_echoes};
use deepmir_volume::Volume;

use super::names::CopyName;
use super::scan::{Images, SourceScan, is_magnitude};
use super::write::{self, Changed, Copy, Record};
use super::{Event, ImplantPlan, Implants, NativeCalls, Summary};
use crate::StudyError;

/// Makes the copies of a scan that are missing; `first` is the number of its first among all copies of all scans.
pub(super) fn make(
    scan: &Scan,
    out: &Path,
    plan: &ImplantPlan,
    first: usize,
    native: Option<&dyn NativeCalls>,
    summary: &mut Summary,
    report: &mut dyn FnMut(Event<'_>),
) -> Result<(), StudyError> {
    let mut missing = Vec::new();
    for copy in 0..plan.copies {
        let name = CopyName::of(scan, copy + 1);
        let record = Record::new(scan, plan, native, first, copy);
        if record.is_done(&name, out)? {
            report(Event::Skipped { copy: &name.id() });
            summary.skipped += 1;
        } else {
            missing.push((name, record));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    report(Event::Step { scan: &scan.id, step: "reading" });
    let source = SourceScan::read(scan, plan, native)?;
    for note in &source.notes {
        report(Event::Noticed { scan: &scan.id, message: note });
    }
    for (name, mut record) in missing {
        let start = Instant::now();
        let id = name.id();
        report(Event::Step { scan: &id, step: "placing" });
        let Drawn { sources, without_room } = match &plan.implants {
            Implants::Random(config) => source.sites.draw(config, record.seed),
            Implants::Ladder(ladder) => source.sites.climb(ladder, record.number, plan.seed),
        };
        if sources.is_empty() {
            let reason = format!(
                "there is no room for implants ({without_room} sought a site); give a scan of a whole brain, or fewer and \
                 smaller implants: {}",
                scan.id
            );
            return Err(StudyError::Subjects { reason });
        }
        if without_room > 0 {
            let message = format!("{without_room} implants found no room");
            report(Event::Noticed { scan: &id, message: &message });
        }
        report(Event::Step { scan: &id, step: "implanting" });
        let changed = change(&source, &sources, plan, &record)?;
        report(Event::Step { scan: &id, step: "writing" });
        record.sources = sources.len();
        record.without_room = without_room;
        write::copy(
            &Copy { name: &name, source: &source, sources: &sources, changed },
            &record,
            out,
        )?;
        summary.made += 1;
        summary.sources += sources.len();
        summary.without_room += without_room;
        let seconds = start.elapsed().as_secs_f64();
        report(Event::Finished { copy: &id, sources: sources.len(), seconds });
    }
    Ok(())
}

/// The images with the sources in them.
fn change(
    scan: &SourceScan,
    sources: &[Source],
    plan: &ImplantPlan,
    record: &Record,
) -> Result<Changed, StudyError> {
    let fine_voxel_mm = match &plan.implants {
        Implants::Random(config) => config.fine_voxel_mm,
        Implants::Ladder(ladder) => ladder.fine_voxel_mm,
    };
    let seed = record.seed;
    let implants =
        MapImplants { sources, brain: &scan.brain, protocol: &scan.protocol, seed, fine_voxel_mm };
    let mut changed = Changed::default();
    match &scan.images {
        Images::Echoes(input) => {
            changed.echoes =
                Some(implant_echoes(&input.scan, &scan.brain, sources, seed, fine_voxel_mm)?);
        }
        Images::Maps(maps) => {
            for (modality, (path, image)) in maps {
                let made: Volume<f32> = match modality {
                    Modality::Swi if is_magnitude(path) => implants.in_magnitude(image)?,
                    Modality::Swi => implants.in_swi(image)?,
                    Modality::Qsm => implants.in_susceptibility(image)?,
                    Modality::T2w => implants.in_t2w(image)?,
                };
                changed.maps.push((path.clone(), made));
            }
        }
    }
    if let Some(t2w) = &scan.t2w {
        let moved: Vec<Source> =
            sources.iter().map(|source| source.moved(&t2w.from_scan)).collect();
        let implants = MapImplants { sources: &moved, brain: &t2w.brain, ..implants };
        changed.t2w = Some(implants.in_t2w(&t2w.image)?);
    }
    if plan.reconstruct {
        changed.reconstruct(scan, plan)?;
    }
    Ok(changed)
}
