#!/usr/bin/env python3
"""Times `deepmir import` on 5,000 files of one slice, and dcm2niix (Debian) on the same ones, in turns.

    python3 bench/dicom/time_import.py DEEPMIR FOLDER [ROUNDS]

DEEPMIR is the program. FOLDER gets the files (128 × 128 pixels, 50 series of 100 slices, 180 MB) and the results; both
write compressed NIfTI and sidecars. Seconds are those of the clock and of the processor. Needs dcm2niix, numpy and
pydicom.
"""

import pathlib
import resource
import shutil
import subprocess
import sys
import time

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

ROOT = "1.2.826.0.1.3680043.8.498.46"
CLASSIC = "1.2.840.10008.5.1.4.1.1.4"
SERIES, SLICES, SIDE = 50, 100, 128


def make(folder):
    folder.mkdir(parents=True)
    j, i = np.mgrid[:SIDE, :SIDE]
    head = np.hypot(i - SIDE / 2, j - SIDE / 2) < 0.4 * SIDE
    random = np.random.default_rng(46)
    for series in range(1, SERIES + 1):
        for n in range(SLICES):
            meta = FileMetaDataset()
            meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = CLASSIC, ExplicitVRLittleEndian
            meta.MediaStorageSOPInstanceUID, meta.ImplementationClassUID = f"{ROOT}.{series}.{n + 1}", ROOT
            one = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
            one.SOPClassUID, one.SOPInstanceUID = CLASSIC, meta.MediaStorageSOPInstanceUID
            one.StudyInstanceUID, one.SeriesInstanceUID = ROOT, f"{ROOT}.{series}"
            one.FrameOfReferenceUID, one.PatientID, one.Modality = f"{ROOT}.9", "SECRET", "MR"
            one.Manufacturer, one.ManufacturerModelName, one.MagneticFieldStrength = "SIEMENS", "Prisma", 3
            one.SeriesNumber, one.InstanceNumber, one.AcquisitionNumber = series, n + 1, 1
            one.StudyDate, one.AcquisitionDate, one.AcquisitionTime = "20240501", "20240501", f"{100000 + series}"
            one.ImageType, one.SeriesDescription = ["ORIGINAL", "PRIMARY", "M", "SWI", "NORM"], "SWI_Images"
            one.ScanningSequence, one.SequenceVariant, one.MRAcquisitionType = "GR", "SP", "2D"
            one.EchoTime, one.RepetitionTime, one.FlipAngle = 20, 28, 15
            one.SliceThickness = one.SpacingBetweenSlices = 1.5
            one.PixelSpacing, one.ImageOrientationPatient = [1.5, 1.5], [1, 0, 0, 0, 1, 0]
            one.ImagePositionPatient = [-96, -96, 1.5 * n]
            one.Rows, one.Columns, one.SamplesPerPixel = SIDE, SIDE, 1
            one.PhotometricInterpretation = "MONOCHROME2"
            one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 12, 11, 0
            one.PixelData = (head * 900 + random.integers(0, 60, (SIDE, SIDE))).astype(np.uint16).tobytes()
            one.save_as(folder / f"{series:02}-{n + 1:04}", enforce_file_format=True)


def timed(command):
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    clock, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    export, ours, theirs = (folder / name for name in ("export", "deepmir", "dcm2niix"))
    if not export.exists():
        make(export)
    for _ in range(rounds):
        for out in (ours, theirs):
            shutil.rmtree(out, ignore_errors=True)
        theirs.mkdir()
        times = {
            "deepmir import --dry-run": timed([program, "import", export, ours, "--dry-run", "--quiet"]),
            "deepmir import": timed([program, "import", export, ours, "--quiet"]),
            "dcm2niix": timed(["dcm2niix", "-z", "y", "-b", "y", "-f", "%s", "-o", theirs, export]),
        }
        for name, (clock, cpu) in times.items():
            print(f"{name:<26} {clock:6.2f} s, {cpu:6.2f} s of the processor")
        written = [len(list(out.rglob("*.nii.gz"))) for out in (ours, theirs)]
        ratio = times["dcm2niix"][0] / times["deepmir import"][0]
        print(f"{written[0]} and {written[1]} images; dcm2niix takes {ratio:.2f} times as long", flush=True)


main()
