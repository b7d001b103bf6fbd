#!/usr/bin/env python3
"""Compares what `deepmir import` reads of compressed images with what went into the encoders, or comes out of theirs.

    python3 bench/dicom/check_compressed.py DEEPMIR FOLDER

DEEPMIR is the program; FOLDER gets the files and a dataset. Series of five slices (noise, slopes, steps, few values,
the extremes) of 8 to 16 bits, unsigned and signed, in odd sizes, by CharLS (pyjpegls), OpenJPEG (pylibjpeg-openjpeg) and
dcmtk, which sets thresholds and reset of JPEG-LS (some of what it encodes so, CharLS itself cannot decode: left out).
Where there is loss, numbers are those that CharLS decodes exactly, and within 1 those of OpenJPEG (4 of 16 bits). Needs
dcmtk, nibabel, numpy, pydicom, pyjpegls and pylibjpeg-openjpeg.
"""

import csv
import pathlib
import subprocess
import sys

import nibabel
import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000, JPEG2000Lossless, JPEGLSLossless, JPEGLSNearLossless

ROOT = "1.2.826.0.1.3680043.8.498.47"
CLASSIC = "1.2.840.10008.5.1.4.1.1.4"


def slices(random, shape, low, high):
    """Five kinds of images between two numbers."""
    rows, columns = shape
    j, i = np.mgrid[:rows, :columns]
    unit = [
        random.random(shape),
        (i / columns + j / rows) / 2 + 0.02 * random.random(shape),
        ((i // 7 + j // 5) % 3) / 2,
        (random.random(shape) < 0.02) * random.random(shape),
        np.round(random.random(shape)),
    ]
    return [np.clip(np.round(low + (high - low) * one), low, high).astype(int) for one in unit]


def write(path, series, n, numbers, bits, is_signed):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = CLASSIC, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID, meta.ImplementationClassUID = f"{ROOT}.{series}.{n + 1}", ROOT
    one = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    one.SOPClassUID, one.SOPInstanceUID = CLASSIC, meta.MediaStorageSOPInstanceUID
    one.StudyInstanceUID, one.SeriesInstanceUID = ROOT, f"{ROOT}.{series}"
    one.PatientID, one.Modality, one.Manufacturer = "SECRET", "MR", "SIEMENS"
    one.SeriesNumber, one.InstanceNumber = series, n + 1
    one.ImageType, one.ScanningSequence, one.EchoTime = ["ORIGINAL", "PRIMARY", "M", "SWI"], "GR", 20
    one.SamplesPerPixel, one.PhotometricInterpretation, one.PixelSpacing = 1, "MONOCHROME2", [1, 1]
    one.Rows, one.Columns = numbers.shape
    one.ImageOrientationPatient, one.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 2 * n]
    one.BitsAllocated = 8 if bits <= 8 else 16
    one.BitsStored, one.HighBit, one.PixelRepresentation = bits, bits - 1, int(is_signed)
    one.PixelData = numbers.astype(f"{'i' if is_signed else 'u'}{one.BitsAllocated // 8}").tobytes()
    one["PixelData"].VR = "OW"
    one.save_as(path, enforce_file_format=True)


def cases(random):
    """Encoder, bits, signed, and how far numbers may be off."""
    for bits in range(8, 17):
        for is_signed in (False, True):
            yield ("pydicom", JPEGLSLossless, {}), bits, is_signed, 0
            yield ("pydicom", JPEG2000Lossless, {}), bits, is_signed, 0
    for bits in (8, 10, 12, 16):
        for near in (1, 2, 5, 20):
            yield ("pydicom", JPEGLSNearLossless, {"jls_error": near}), bits, False, 0
        for rate in (4, 12):
            yield ("pydicom", JPEG2000, {"j2k_cr": [rate]}), bits, False, 4 if bits == 16 else 1
        for _ in range(4):
            t1, t2, t3 = sorted(int(t) for t in random.integers(3, 2 ** min(bits, 10) - 1, 3))
            reset = int(random.integers(3, 255))
            options = ["+pc", "+t1", t1, "+t2", t2, "+t3", t3, "+rs", reset]
            yield ("dcmcjpls", "+el", options), bits, False, 0
            yield ("dcmcjpls", "+en", ["+md", 4, *options]), bits, False, 0


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    random = np.random.default_rng(47)
    export, dataset = folder / "export", folder / "dataset"
    export.mkdir(parents=True)
    wanted, unread = {}, 0
    for series, ((encoder, kind, options), bits, is_signed, tolerance) in enumerate(cases(random), 1):
        shape = tuple(int(side) for side in random.integers(33, 120, 2))
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if is_signed else (0, 2**bits - 1)
        volume = []
        for n, numbers in enumerate(slices(random, shape, low, high)):
            path = export / f"{series:03}-{n + 1}"
            write(path, series, n, numbers, bits, is_signed)
            if encoder == "pydicom":
                one = pydicom.dcmread(path)
                one.compress(kind, generate_instance_uid=False, **options)
                one.save_as(path)
            else:
                subprocess.run([encoder, kind, *map(str, options), "+un", path, path], check=True)
            try:
                decoded = pydicom.dcmread(path).pixel_array.astype(int)
            except RuntimeError:
                break
            lossless = kind in (JPEGLSLossless, JPEG2000Lossless, "+el")
            assert not lossless or np.array_equal(decoded, numbers), path
            volume.append(decoded)
        if len(volume) < 5:
            unread += 1
            for path in export.glob(f"{series:03}-*"):
                path.unlink()
            continue
        wanted[series] = np.stack(volume), tolerance, f"{encoder} {kind} {options}, {bits} bits"
    subprocess.run([program, "import", export, dataset, "--quiet"], check=True, stdout=subprocess.DEVNULL)
    [table] = dataset.glob("sub-*/sub-*_desc-import.tsv")
    failed = 0
    for row in csv.DictReader(table.open(), delimiter="\t"):
        values, tolerance, what = wanted.pop(int(row["series"]))
        found = np.asarray(nibabel.load(table.parent / f"{row['file']}.nii.gz").dataobj)
        # Columns, rows from the last to the first, slices.
        found = found.transpose(2, 1, 0)[:, ::-1]
        off = np.abs(found - values).max()
        if off > tolerance:
            failed += 1
            print(f"series {row['series']} ({what}): {off} off")
    assert not wanted, wanted.keys()
    total = len(list(export.iterdir())) // 5
    print(f"{total - failed} of {total} series equal; {unread} left out, which CharLS cannot decode")
    sys.exit(bool(failed))


main()
