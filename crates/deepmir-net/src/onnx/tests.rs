//! The files are read back by the wire format alone. That ONNX Runtime computes what we compute is checked by
//! `bench/exchange/check_onnx.py`.

use std::collections::BTreeMap;

use super::*;
use crate::preset;

/// A field's number, and its bytes or its number.
type Field<'a> = (u64, &'a [u8], u64);

fn varint(bytes: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return value;
        }
    }
}

fn fields(mut bytes: &[u8]) -> Vec<Field<'_>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let (content, number) = match tag & 7 {
            0 => (&[][..], varint(&mut bytes)),
            5 => (bytes.split_off(..4).unwrap(), 0),
            2 => {
                let length = varint(&mut bytes) as usize;
                (bytes.split_off(..length).unwrap(), 0)
            }
            other => panic!("wire type {other}"),
        };
        found.push((tag >> 3, content, number));
    }
    found
}

fn all(bytes: &[u8], field: u64) -> Vec<&[u8]> {
    fields(bytes).into_iter().filter(|one| one.0 == field).map(|one| one.1).collect()
}

fn text(bytes: &[u8], field: u64) -> String {
    String::from_utf8(all(bytes, field)[0].to_vec()).unwrap()
}

/// Name and shape of a graph's input or output; an axis of any length by its name.
fn declared(bytes: &[u8]) -> (String, Vec<String>) {
    let tensor = all(all(bytes, 2)[0], 1)[0];
    let axes = all(all(tensor, 2)[0], 1).into_iter().map(|axis| {
        let (field, name, length) = fields(axis)[0];
        if field == 1 { length.to_string() } else { String::from_utf8_lossy(name).into_owned() }
    });
    (text(bytes, 1), axes.collect())
}

/// Shapes and values of the weights by name.
fn initializers(graph: &[u8]) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let tensors = all(graph, 5).into_iter().map(|tensor| {
        let shape = fields(tensor).into_iter().filter(|field| field.0 == 1);
        let raw = all(tensor, 9)[0];
        let values = raw.as_chunks().0.iter().map(|&raw| f32::from_le_bytes(raw)).collect();
        (text(tensor, 8), (shape.map(|field| field.2 as usize).collect(), values))
    });
    tensors.collect()
}

/// Every input of a node is there before the node is.
#[track_caller]
fn assert_in_order(graph: &[u8]) {
    let mut known: Vec<String> = initializers(graph).into_keys().collect();
    known.extend(all(graph, 11).into_iter().map(|input| declared(input).0));
    for node in all(graph, 1) {
        for input in all(node, 1) {
            let input = String::from_utf8_lossy(input).into_owned();
            assert!(known.contains(&input), "no {input} before {}", text(node, 2));
        }
        known.push(text(node, 2));
    }
    for output in all(graph, 12) {
        assert!(known.contains(&declared(output).0));
    }
}

#[test]
fn a_unet_holds_its_weights_shapes_and_properties() {
    for (mut preset, last) in [(preset::deepmir(), "Softmax"), (preset::paper(), "Softmax")] {
        preset.architecture.widths = vec![4, 6, 8];
        let architecture = &preset.architecture;
        let weights = Weights::initial(architecture, 5);
        let metadata = [("classes".to_owned(), "CMB, NHID".to_owned())];
        let bytes = unet(architecture, &weights, &metadata).unwrap();
        let graph = all(&bytes, 7)[0];
        assert_in_order(graph);
        let held = initializers(graph);
        assert_eq!(held.len(), weights.0.len());
        for (name, tensor) in &weights.0 {
            assert_eq!(held[name], (tensor.shape.clone(), tensor.values.clone()), "{name}");
        }
        let (input, shape) = declared(all(graph, 11)[0]);
        let channels = architecture.input_channels.to_string();
        assert_eq!(
            (input.as_str(), shape),
            ("images", ["batch", &channels, "height", "width"].map(str::to_owned).to_vec())
        );
        let outputs = all(graph, 12);
        assert_eq!(declared(outputs[0]).0, "logits");
        assert_eq!(declared(outputs[1]).1[1], architecture.output_channels.to_string());
        assert_eq!(text(all(graph, 1).last().unwrap(), 4), last);
        let property = all(&bytes, 14)[0];
        assert_eq!((text(property, 1), text(property, 2)), ("classes".into(), "CMB, NHID".into()));
        assert!(fields(all(&bytes, 8)[0]).iter().any(|field| field.2 == 17));
    }
}

#[test]
fn a_patch_classifier_has_its_kernels_in_the_order_of_onnx() {
    let mut preset = preset::deepmir();
    let config = preset.training.patch_classifier.as_mut().unwrap();
    (config.size, config.widths, config.hidden) = ([4, 8, 8], vec![3, 5], 6);
    let (settings, plan) = (config.settings(), &preset.plan);
    let tensors = settings.architecture(plan).tensors();
    let mut number = 0.0;
    let weights = tensors.iter().map(|tensor| {
        let values = (0..tensor.values()).map(|_| {
            number += 1.0;
            number
        });
        (
            tensor.name.clone(),
            crate::weights::Tensor { shape: tensor.shape.clone(), values: values.collect() },
        )
    });
    let weights = Weights(weights.collect());
    let bytes = patch_classifier(&settings, plan, &weights, &[]).unwrap();
    let graph = all(&bytes, 7)[0];
    assert_in_order(graph);
    let (shape, values) = &initializers(graph)["level.1.conv2.weight"];
    assert_eq!(*shape, [5, 5, 3, 3, 3]);
    let ours = &weights.get("level.1.conv2.weight").unwrap().values;
    // [out][in][slice][row][column] of theirs, [out][slice][in][row][column] of ours.
    let (out, channel, slice, pixel) = (3, 2, 1, 7);
    assert_eq!(
        values[((out * 5 + channel) * 3 + slice) * 9 + pixel],
        ours[((out * 3 + slice) * 5 + channel) * 9 + pixel]
    );
    assert_eq!(declared(all(graph, 11)[0]).1, ["batch", "4", "4", "8", "8"]);
    assert_eq!(
        declared(all(graph, 12)[0]),
        ("logits".to_owned(), vec!["batch".to_owned(), "3".to_owned()])
    );
}

#[test]
fn weights_of_another_network_are_refused() {
    let architecture = preset::deepmir().architecture;
    let mut weights = Weights::initial(&architecture, 0);
    weights.0.remove("head.bias");
    assert!(unet(&architecture, &weights, &[]).unwrap_err().to_string().contains("head.bias"));
    let settings = preset::deepmir().training.patch_classifier.unwrap().settings();
    let plan = preset::deepmir().plan;
    assert!(patch_classifier(&settings, &plan, &weights, &[]).is_err());
}
