//! Items of the tree of a structured report.

use super::codes::Code;
use crate::object::{Object, tags};

/// How an item stands to the one that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    Contains,
    HasConceptModifier,
    HasObservationContext,
}

impl Relation {
    fn name(self) -> &'static str {
        match self {
            Self::Contains => "CONTAINS",
            Self::HasConceptModifier => "HAS CONCEPT MOD",
            Self::HasObservationContext => "HAS OBS CONTEXT",
        }
    }
}

/// An item of a type, and its name.
fn item(relation: Relation, kind: &str, name: Code) -> Object {
    Object::new()
        .text(tags::RELATIONSHIP_TYPE, relation.name())
        .text(tags::VALUE_TYPE, kind)
        .items(tags::CONCEPT_NAME_CODE_SEQUENCE, vec![name.item()])
}

/// A coded value.
pub fn code(relation: Relation, name: Code, value: Code) -> Object {
    item(relation, "CODE", name).items(tags::CONCEPT_CODE_SEQUENCE, vec![value.item()])
}

/// Text.
pub fn text(relation: Relation, name: Code, value: &str) -> Object {
    item(relation, "TEXT", name).text(tags::TEXT_VALUE, value)
}

/// A unique identifier.
pub fn uid(relation: Relation, name: Code, value: &str) -> Object {
    item(relation, "UIDREF", name).text(tags::UID_VALUE, value)
}

/// A measured number.
pub fn number(name: Code, value: f64, unit: Code) -> Object {
    let value = Object::new()
        .decimals(tags::NUMERIC_VALUE, &[value])
        .items(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, vec![unit.item()]);
    item(Relation::Contains, "NUM", name).items(tags::MEASURED_VALUE_SEQUENCE, vec![value])
}

/// A reference to an image, or to a segment of one.
pub fn image(name: Option<Code>, reference: Object) -> Object {
    let object = Object::new()
        .text(tags::RELATIONSHIP_TYPE, Relation::Contains.name())
        .text(tags::VALUE_TYPE, "IMAGE")
        .items(tags::REFERENCED_SOP_SEQUENCE, vec![reference]);
    match name {
        Some(name) => object.items(tags::CONCEPT_NAME_CODE_SEQUENCE, vec![name.item()]),
        None => object,
    }
}

/// A point of the patient, in DICOM's coordinates.
pub fn point(name: Code, place_mm: [f64; 3], frame_of_reference: &str) -> Object {
    item(Relation::Contains, "SCOORD3D", name)
        .floats(tags::GRAPHIC_DATA, &place_mm.map(|value| value as f32))
        .text(tags::GRAPHIC_TYPE, "POINT")
        .text(tags::REFERENCED_FRAME_OF_REFERENCE_UID, frame_of_reference)
}

/// A container with its items; `template` is one of PS3.16.
pub fn container(name: Code, template: Option<&str>, items: Vec<Object>) -> Object {
    item(Relation::Contains, "CONTAINER", name).with(&root(name, template, items))
}

/// The container that holds all others.
pub fn root(name: Code, template: Option<&str>, items: Vec<Object>) -> Object {
    let object = Object::new()
        .text(tags::VALUE_TYPE, "CONTAINER")
        .items(tags::CONCEPT_NAME_CODE_SEQUENCE, vec![name.item()])
        .text(tags::CONTINUITY_OF_CONTENT, "SEPARATE");
    let object =
        if items.is_empty() { object } else { object.items(tags::CONTENT_SEQUENCE, items) };
    match template {
        Some(template) => {
            let template = Object::new()
                .text(tags::MAPPING_RESOURCE, "DCMR")
                .text(tags::TEMPLATE_IDENTIFIER, template);
            object.items(tags::CONTENT_TEMPLATE_SEQUENCE, vec![template])
        }
        None => object,
    }
}

/// An item with others below it.
pub fn with_items(object: Object, items: Vec<Object>) -> Object {
    if items.is_empty() { object } else { object.items(tags::CONTENT_SEQUENCE, items) }
}
