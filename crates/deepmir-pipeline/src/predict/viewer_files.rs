//! Files by which other programs show the lesions: names and colours of the labels for ITK-SNAP, 3D Slicer and
//! FreeSurfer, and the lesions as points for 3D Slicer.

use std::path::{Path, PathBuf};

use deepmir_cases::bids::{self, DerivedName};
use deepmir_lesion::{LesionClass, LesionRow};
use deepmir_report::class_colour;
use serde_json::{Value, json};

use crate::PipelineError;

const MARKUPS_SCHEMA: &str = "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/\
                              Resources/Schema/markups-schema-v1.0.3.json#";

/// Writes the files of a scan and returns their paths. `probabilities` are those of being a lesion, by row, where the
/// model gives them.
pub(super) fn write(
    folder: &Path,
    name: &DerivedName,
    rows: &[LesionRow],
    probabilities: Option<&[f32]>,
) -> Result<Vec<PathBuf>, PipelineError> {
    let path = |ending: &str| folder.join(name.of_scan(&[("desc", "lesions")], ending));
    let texts = [
        (path("_itksnap.label"), itksnap()),
        (path("_slicer.ctbl"), slicer()),
        (path("_freesurfer.txt"), freesurfer()),
    ];
    let mut all = Vec::with_capacity(texts.len() + 1);
    for (path, text) in texts {
        bids::write_text(&path, &text)?;
        all.push(path);
    }
    let points = path(".mrk.json");
    bids::write_json(&points, &markups(rows, probabilities))?;
    all.push(points);
    Ok(all)
}

/// Label descriptions: index, colour, opacity, shown or not in slices and in 3D, name in quotes.
fn itksnap() -> String {
    let mut text = String::from(
        "################################################\n\
         # ITK-SnAP Label Description File\n\
         # File format:\n\
         # IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL\n\
         ################################################\n    \
         0     0    0    0        0  0  0    \"Clear Label\"\n",
    );
    for class in LesionClass::ALL {
        let ([red, green, blue], index) = (class_colour(class), class.label());
        text += &format!(
            "{index:5} {red:5} {green:4} {blue:4}        1  1  1    \"{} ({class})\"\n",
            class.full_name()
        );
    }
    text
}

/// Colour table: index, name, colour, opacity of 255.
fn slicer() -> String {
    let mut text = String::from("# Color table file deepmir\n# 3 values\n0 background 0 0 0 0\n");
    for class in LesionClass::ALL {
        let [red, green, blue] = class_colour(class);
        text += &format!("{} {} {red} {green} {blue} 255\n", class.label(), without_spaces(class));
    }
    text
}

/// Lookup table: index, name, colour, transparency.
fn freesurfer() -> String {
    let mut text = String::from(
        "#No. Label Name:                 R   G   B   A\n0    Unknown                     0   0   0   0\n",
    );
    for class in LesionClass::ALL {
        let ([red, green, blue], name) = (class_colour(class), without_spaces(class));
        text += &format!("{:<4} {name:<27} {red:<3} {green:<3} {blue:<3} 0\n", class.label());
    }
    text
}

/// A class's full name as one word, as tables that are split at spaces need it.
fn without_spaces(class: LesionClass) -> String {
    class.full_name().replace(' ', "_")
}

/// One list of points, a lesion each. In LPS, as the file says: two axes of the table's RAS turn their sign.
fn markups(rows: &[LesionRow], probabilities: Option<&[f32]>) -> Value {
    let point = |(n, row): (usize, &LesionRow)| {
        let probability = probabilities.and_then(|of| of.get(n));
        let told = [
            probability.map(|probability| format!("probability {probability:.4}")),
            row.mars_region.map(|region| region.name().to_owned()),
            Some(format!("{:.1} mm", row.diameter_mm)),
        ];
        json!({
            "id": row.lesion_id.to_string(),
            "label": format!("{} {}", row.lesion_id, row.class),
            "description": told.into_iter().flatten().collect::<Vec<_>>().join(", "),
            "associatedNodeID": "",
            "position": [-row.x_mm, -row.y_mm, row.z_mm],
            "orientation": [-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0],
            "selected": true,
            "locked": false,
            "visibility": true,
            "positionStatus": "defined",
        })
    };
    json!({
        "@schema": MARKUPS_SCHEMA,
        "markups": [{
            "type": "Fiducial",
            "coordinateSystem": "LPS",
            "coordinateUnits": "mm",
            "locked": true,
            "fixedNumberOfControlPoints": false,
            "labelFormat": "%d",
            "lastUsedControlPointNumber": rows.len(),
            "controlPoints": rows.iter().enumerate().map(point).collect::<Vec<Value>>(),
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers and the name of each line that is no comment, as a program that splits at spaces reads it.
    fn lines(text: &str) -> Vec<Vec<&str>> {
        let told = text.lines().filter(|line| !line.starts_with('#'));
        told.map(|line| line.split_whitespace().collect()).collect()
    }

    #[test]
    fn each_table_gives_every_class_its_label_and_its_colour() {
        let [red, green, blue] = class_colour(LesionClass::Nhid).map(|value| value.to_string());
        let itksnap = itksnap();
        assert_eq!(itksnap.lines().nth(1).unwrap(), "# ITK-SnAP Label Description File");
        let rows = lines(&itksnap);
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[2][..7], ["2", &red, &green, &blue, "1", "1", "1"]);
        let names: Vec<&str> = itksnap.split('"').skip(1).step_by(2).collect();
        assert_eq!(names[1], "cerebral microbleed (CMB)");
        assert_eq!(rows[0][..7], ["0"; 7]);

        let slicer = slicer();
        let name = "non-hemorrhage_iron_deposit";
        assert_eq!(lines(&slicer)[2], ["2", name, &red, &green, &blue, "255"]);
        assert_eq!(lines(&slicer)[0], ["0", "background", "0", "0", "0", "0"]);
        let freesurfer = freesurfer();
        assert_eq!(lines(&freesurfer)[2], ["2", name, &red, &green, &blue, "0"]);
        assert_eq!(lines(&freesurfer).len(), 3);
    }

    #[test]
    fn a_point_says_what_the_row_says() {
        let row = json!({
            "lesion_id": 1, "class": "NHID", "x_mm": 10.5, "y_mm": -20.25, "z_mm": 30.0,
            "volume_mm3": 4.2, "diameter_mm": 2.0, "n_voxels": 5, "sphericity": 1.0,
            "mars_region": "basal_ganglia",
        });
        let rows: Vec<LesionRow> = vec![serde_json::from_value(row).unwrap()];
        let file = markups(&rows, Some(&[0.875]));
        assert_eq!(file["markups"][0]["coordinateSystem"], "LPS");
        let point = &file["markups"][0]["controlPoints"][0];
        assert_eq!(point["position"], json!([-10.5, 20.25, 30.0]));
        assert_eq!(point["label"], "1 NHID");
        let told = point["description"].as_str().unwrap();
        assert!(told.starts_with("probability 0.8750, ") && told.ends_with(", 2.0 mm"), "{told}");
    }

    #[test]
    fn no_lesion_is_a_list_without_points() {
        let empty = markups(&[], None);
        assert_eq!(empty["markups"][0]["controlPoints"].as_array().unwrap().len(), 0);
    }
}
