//! A graph in the making: nodes, weights, inputs and outputs of `onnx.proto3`, whose field numbers these are.

use super::wire::Message;

/// The versions of ONNX's file format and of its operators as of ONNX 1.12: everything that is needed is in them.
const IR_VERSION: u64 = 8;
const OPERATORS: u64 = 17;
/// Number types of tensors.
const FLOAT: u64 = 1;
/// Kinds of attributes.
const OF_FLOAT: u64 = 1;
const OF_INT: u64 = 2;
const OF_INTS: u64 = 7;

/// The value of a node's attribute.
pub(super) enum Attribute<'a> {
    Float(f32),
    Int(u64),
    Ints(&'a [u64]),
}

/// The length of an axis: a number, or a name where any length will do.
pub(super) enum Length<'a> {
    Of(usize),
    Any(&'a str),
}

/// A graph in the making.
#[derive(Default)]
pub(super) struct Graph {
    nodes: Vec<Message>,
    initializers: Vec<Message>,
    inputs: Vec<Message>,
    outputs: Vec<Message>,
}

impl Graph {
    /// Adds weights: `values` with the last axis fastest.
    pub fn weights(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let tensor = Message::default()
            .each(shape, |tensor, &length| tensor.number(1, length as u64))
            .number(2, FLOAT)
            .text(8, name)
            .bytes(9, &raw);
        self.initializers.push(tensor);
    }

    /// Adds a node, called as its output; returns that name.
    pub fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[(&str, Attribute<'_>)],
    ) -> String {
        let node = Message::default()
            .each(inputs, |node, input| node.text(1, input))
            .text(2, output)
            .text(3, output)
            .text(4, operator)
            .each(attributes, |node, (name, value)| {
                let attribute = Message::default().text(1, name);
                let attribute = match value {
                    Attribute::Float(value) => attribute.float(2, *value).number(20, OF_FLOAT),
                    Attribute::Int(value) => attribute.number(3, *value).number(20, OF_INT),
                    Attribute::Ints(values) => attribute
                        .each(*values, |attribute, &value| attribute.number(8, value))
                        .number(20, OF_INTS),
                };
                node.message(5, &attribute)
            });
        self.nodes.push(node);
        output.to_owned()
    }

    /// Declares an input of the network.
    pub fn input(&mut self, name: &str, shape: &[Length<'_>]) {
        self.inputs.push(value_info(name, shape));
    }

    /// Declares an output of the network.
    pub fn output(&mut self, name: &str, shape: &[Length<'_>]) {
        self.outputs.push(value_info(name, shape));
    }

    /// The bytes of the file.
    pub fn into_model(self, name: &str, metadata: &[(String, String)]) -> Vec<u8> {
        let graph = Message::default()
            .each(&self.nodes, |graph, node| graph.message(1, node))
            .text(2, name)
            .each(&self.initializers, |graph, tensor| graph.message(5, tensor))
            .each(&self.inputs, |graph, input| graph.message(11, input))
            .each(&self.outputs, |graph, output| graph.message(12, output));
        Message::default()
            .number(1, IR_VERSION)
            .text(2, "deepmir")
            .text(3, env!("CARGO_PKG_VERSION"))
            .message(7, &graph)
            .message(8, &Message::default().text(1, "").number(2, OPERATORS))
            .each(metadata, |model, (key, value)| {
                model.message(14, &Message::default().text(1, key).text(2, value))
            })
            .into_bytes()
    }
}

fn value_info(name: &str, shape: &[Length<'_>]) -> Message {
    let shape = Message::default().each(shape, |message, length| {
        let length = match length {
            Length::Of(length) => Message::default().number(1, *length as u64),
            Length::Any(name) => Message::default().text(2, name),
        };
        message.message(1, &length)
    });
    let tensor = Message::default().number(1, FLOAT).message(2, &shape);
    Message::default().text(1, name).message(2, &Message::default().message(1, &tensor))
}
