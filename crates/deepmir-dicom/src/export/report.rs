//! DICOM SR by template TID 1500, Measurement Report: a measurement group a lesion, and one a class with its count.

use deepmir_lesion::{Certainty, LesionClass, LesionRow};

use super::codes::{self, Code, OWN_SCHEME};
use super::common::{
    Kind, MAKER, NOT_A_DEVICE, Uids, algorithm_name, algorithm_version, base, implementation, short,
};
use super::content::{
    Relation, code, container, image, number, point, root, text, uid, with_items,
};
use super::result::ScanResult;
use super::segmentation::Segmentation;
use super::source::Source;
use crate::object::{Object, tags};

use Relation::{Contains, HasConceptModifier, HasObservationContext};

const fn dcm(value: &'static str, meaning: &'static str) -> Code {
    Code(value, "DCM", meaning)
}

const LANGUAGE: Code = dcm("121049", "Language of Content Item and Descendants");
const ENGLISH: Code = Code("en", "RFC5646", "English");
const TRACKING_ID: Code = dcm("112039", "Tracking Identifier");
const TRACKING_UID: Code = dcm("112040", "Tracking Unique Identifier");
const FINDING: Code = dcm("121071", "Finding");
const FINDING_SITE: Code = Code("363698007", "SCT", "Finding Site");
const LATERALITY: Code = Code("272741003", "SCT", "Laterality");
const GROUP: Code = dcm("125007", "Measurement Group");
const ALGORITHM_NAME: Code = dcm("111001", "Algorithm Name");
const ALGORITHM_VERSION: Code = dcm("111003", "Algorithm Version");
const NO_UNIT: Code = Code("1", "UCUM", "no units");

/// The report.
pub fn object(
    source: &Source<'_>,
    result: &ScanResult,
    segmentation: &Segmentation<'_>,
    uids: &Uids,
) -> Object {
    let lesions = result.rows.iter().map(|row| lesion(row, source, result, segmentation, uids));
    let counts = LesionClass::ALL.into_iter().map(|class| count(class, result, uids));
    let groups: Vec<Object> = counts.chain(lesions).collect();
    let images = source.instances().into_iter().map(|reference| image(None, reference)).collect();
    let library = container(dcm("126200", "Image Library Group"), None, images);
    let mut items = vec![code(HasConceptModifier, LANGUAGE, ENGLISH)];
    items.extend(observer(result));
    items.push(code(
        HasConceptModifier,
        dcm("121058", "Procedure reported"),
        Code("816077007", "SCT", "Magnetic resonance imaging of brain"),
    ));
    items.push(container(dcm("111028", "Image Library"), None, vec![library]));
    items.push(container(dcm("126010", "Imaging Measurements"), None, groups));
    items.push(text(Contains, dcm("121106", "Comment"), NOT_A_DEVICE));
    base(Kind::Report, source, result, uids)
        .items(tags::REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE, Vec::new())
        .items(tags::PERFORMED_PROCEDURE_CODE_SEQUENCE, Vec::new())
        .text(tags::COMPLETION_FLAG, "COMPLETE")
        .text(tags::VERIFICATION_FLAG, "UNVERIFIED")
        .text(tags::PRELIMINARY_FLAG, "PRELIMINARY")
        .items(
            tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE,
            vec![evidence(source, segmentation, uids)],
        )
        .with(&root(dcm("126000", "Imaging Measurement Report"), Some("1500"), items))
}

/// The program, which is the observer.
fn observer(result: &ScanResult) -> Vec<Object> {
    let said = |code: &'static str, meaning, value: &str| {
        text(HasObservationContext, dcm(code, meaning), value)
    };
    vec![
        code(HasObservationContext, dcm("121005", "Observer Type"), dcm("121007", "Device")),
        uid(HasObservationContext, dcm("121012", "Device Observer UID"), &implementation()),
        said("121013", "Device Observer Name", MAKER),
        said("121014", "Device Observer Manufacturer", MAKER),
        said("121015", "Device Observer Model Name", &short(&result.model)),
        said("121016", "Device Observer Serial Number", &short(&result.model_id)),
    ]
}

/// All objects that the report refers to.
fn evidence(source: &Source<'_>, segmentation: &Segmentation<'_>, uids: &Uids) -> Object {
    let series = |series: &str, instances| {
        Object::new()
            .text(tags::SERIES_INSTANCE_UID, series)
            .items(tags::REFERENCED_SOP_SEQUENCE, instances)
    };
    let identity = &source.stack.header().identity;
    let mut all = vec![series(&identity.series, source.instances())];
    if !segmentation.is_empty() {
        all.push(series(&uids.of("series SEG"), vec![segmentation_reference(uids)]));
    }
    Object::new()
        .text(tags::STUDY_INSTANCE_UID, &identity.study)
        .items(tags::REFERENCED_SERIES_SEQUENCE, all)
}

fn segmentation_reference(uids: &Uids) -> Object {
    Object::new()
        .text(tags::REFERENCED_SOP_CLASS_UID, Kind::Segmentation.class())
        .text(tags::REFERENCED_SOP_INSTANCE_UID, &uids.instance(Kind::Segmentation))
}

/// What identifies the algorithm (TID 4019).
fn algorithm(result: &ScanResult) -> [Object; 2] {
    [
        text(HasConceptModifier, ALGORITHM_NAME, &algorithm_name(result)),
        text(HasConceptModifier, ALGORITHM_VERSION, &algorithm_version(result)),
    ]
}

/// The number of lesions of a class (TID 1501).
fn count(class: LesionClass, result: &ScanResult, uids: &Uids) -> Object {
    let count = result.rows.iter().filter(|row| row.class == class).count();
    let mut items = vec![
        text(HasObservationContext, TRACKING_ID, &format!("{class} count")),
        uid(HasObservationContext, TRACKING_UID, &uids.of(&format!("count {class}"))),
        code(Contains, FINDING, codes::finding(class)),
    ];
    items.extend(algorithm(result));
    items.push(code(HasConceptModifier, FINDING_SITE, codes::BRAIN));
    let number_of_lesions = Code("246206008", "SCT", "Number of lesions");
    items.push(number(number_of_lesions, count as f64, NO_UNIT));
    container(GROUP, Some("1501"), items)
}

/// A lesion's measurements (TID 1411).
fn lesion(
    row: &LesionRow,
    source: &Source<'_>,
    result: &ScanResult,
    segmentation: &Segmentation<'_>,
    uids: &Uids,
) -> Object {
    let name = format!("{} {}", row.class, row.lesion_id);
    let mut items = vec![
        text(HasObservationContext, TRACKING_ID, &name),
        uid(HasObservationContext, TRACKING_UID, &uids.of(&format!("lesion {}", row.lesion_id))),
        code(Contains, FINDING, codes::finding(row.class)),
    ];
    if let Some(segment) = segmentation.number_of(row) {
        let reference =
            segmentation_reference(uids).short(tags::REFERENCED_SEGMENT_NUMBER, segment);
        items.push(image(Some(dcm("121191", "Referenced Segment")), reference));
    }
    let series = &source.stack.header().identity.series;
    items.push(uid(Contains, dcm("121232", "Source series for segmentation"), series));
    items.extend(algorithm(result));
    let site =
        code(HasConceptModifier, FINDING_SITE, row.mars_region.map_or(codes::BRAIN, codes::site));
    let side = row.side.map(codes::laterality);
    let side = side.map(|side| code(HasConceptModifier, LATERALITY, side));
    items.push(with_items(site, side.into_iter().collect()));
    items.extend(measurements(row, result));
    if let Some(certainty) = row.certainty {
        let said = match certainty {
            Certainty::Definite => Code("DEFINITE", OWN_SCHEME, "Definite"),
            Certainty::Possible => Code("POSSIBLE", OWN_SCHEME, "Possible"),
        };
        items.push(code(Contains, Code("CERTAINTY", OWN_SCHEME, "Certainty by MARS"), said));
    }
    if let Some(frame) = &source.frame_of_reference {
        // From right, anterior, superior to left, posterior, superior.
        let place = [-row.x_mm, -row.y_mm, row.z_mm];
        items.push(point(dcm("128138", "Center of Mass"), place, frame));
    }
    container(GROUP, Some("1411"), items)
}

fn measurements(row: &LesionRow, result: &ScanResult) -> Vec<Object> {
    let unit = |value, meaning| Code(value, "UCUM", meaning);
    let mut all = vec![
        number(Code("118565006", "SCT", "Volume"), row.volume_mm3, unit("mm3", "cubic millimeter")),
        number(Code("81827009", "SCT", "Diameter"), row.diameter_mm, unit("mm", "millimeter")),
    ];
    if let Some(chi) = row.chi_mean_ppm {
        let mean = Code("373098007", "SCT", "Mean");
        let derivation = code(HasConceptModifier, dcm("121401", "Derivation"), mean);
        let susceptibility = dcm("126396", "Magnetic Susceptibility");
        let measured = number(susceptibility, chi, unit("ppm", "ppm"));
        all.push(with_items(measured, vec![derivation]));
    }
    if let Some(chi) = row.chi_total_ppm_mm3 {
        let total = Code("CHI_TOTAL", OWN_SCHEME, "Susceptibility summed over the volume");
        all.push(number(total, chi, Code("[ppm].mm3", "UCUM", "ppm cubic millimeter")));
    }
    if let Some(&probability) = result.probabilities.get(&row.lesion_id) {
        all.push(number(dcm("122157", "Probability"), probability, NO_UNIT));
    }
    all
}
