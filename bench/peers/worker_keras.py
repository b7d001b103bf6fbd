"""TensorFlow-Keras: `worker_keras.py infer|train FOLDER BASE POOLINGS BATCH SIZE f32`."""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import model
import numpy as np
import serve
import tensorflow as tf
from keras import layers

mode, folder, *numbers, _ = sys.argv[1:]
base, poolings, batch, size = map(int, numbers)
tf.config.threading.set_intra_op_parallelism_threads(serve.threads())
tf.config.threading.set_inter_op_parallelism_threads(1)


def read_weights():
    values = np.fromfile(Path(folder) / "weights.bin", dtype="<f4")
    weights, start = {}, 0
    for line in (Path(folder) / "weights.txt").read_text().splitlines():
        name, count = line.split()
        weights[name] = values[start : start + int(count)]
        start += int(count)
    return weights


WEIGHTS = read_weights()
ASSIGN = []


def assign(layer, *values):
    ASSIGN.append((layer, values))
    return layer


def convolution(name, inputs, outputs, kernel):
    layer = layers.Conv2D(outputs, kernel, padding="same")
    weight = WEIGHTS[f"{name}.weight"].reshape(outputs, inputs, kernel, kernel)
    return assign(layer, weight.transpose(2, 3, 1, 0), WEIGHTS[f"{name}.bias"])


def norm(name):
    parts = ("gamma", "beta", "running_mean", "running_var")
    layer = layers.BatchNormalization(epsilon=model.EPSILON)
    return assign(layer, *(WEIGHTS[f"{name}.{part}"] for part in parts))


def block(x, name, inputs, outputs):
    for index, channels in ((1, inputs), (2, outputs)):
        x = convolution(f"{name}.conv{index}", channels, outputs, 3)(x)
        x = layers.ReLU()(norm(f"{name}.norm{index}")(x))
    return x


def build():
    widths = [base << level for level in range(poolings + 1)]
    image = x = keras.Input((size, size, serve.INPUTS))
    skips, channels = [], serve.INPUTS
    for level, width in enumerate(widths):
        x = block(x, f"encoder.{level}", channels, width)
        channels = width
        if level < poolings:
            skips.append(x)
            x = layers.MaxPooling2D()(x)
    for level in reversed(range(poolings)):
        name, width = f"decoder.{level}", widths[level]
        up = layers.Conv2DTranspose(width, 2, strides=2)
        weight = WEIGHTS[f"{name}.up.weight"].reshape(2 * width, width, 2, 2)
        x = assign(up, weight.transpose(2, 3, 1, 0), WEIGHTS[f"{name}.up.bias"])(x)
        x = layers.Concatenate()([skips[level], x])
        x = layers.ReLU()(norm(f"{name}.concatenated")(x))
        x = block(x, f"{name}.block", 2 * width, width)
    x = convolution("head", base, serve.CLASSES, 1)(x)
    net = keras.Model(image, layers.Softmax()(x))
    for layer, values in ASSIGN:
        layer.set_weights([np.ascontiguousarray(value) for value in values])
    return net


net = build()
images = tf.constant(serve.read_input(folder, batch, size).transpose(0, 2, 3, 1))
result = {}
if mode == "infer":
    infer = tf.function(lambda x: net(x, training=False))

    def run():
        result["probabilities"] = infer(images).numpy()

    serve.serve(run, lambda: result["probabilities"].transpose(0, 3, 1, 2))
else:
    labels = tf.constant(serve.read_labels(folder, batch, size))
    loss_of = keras.losses.SparseCategoricalCrossentropy()

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = loss_of(labels, net(images, training=True))
        return tape.gradient(loss, net.trainable_variables)

    def run():
        result["gradients"] = step()
        result["gradients"][0].numpy()

    serve.serve(run, lambda: np.zeros(1))
