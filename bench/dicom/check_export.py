#!/usr/bin/env python3
"""Reads what `deepmir export` wrote with other programs, and compares it with the results that it was made of.

    python3 bench/dicom/check_export.py WRITTEN RESULTS DICOM [--orthanc]

WRITTEN is the folder of the export, RESULTS what `deepmir predict` or `run` wrote, DICOM the files of the scanner.
highdicom reads segmentation and report; voxels, places, references and measurements must be those of label map, table
and source.
`dciodvfy` (Debian dicom3tools) must find no error. Where dcmqi is installed, it reads the segmentation too. With --orthanc, a server is started on this machine alone, takes all
files and must give them back unchanged. Needs highdicom, nibabel and numpy.
"""

import collections
import csv
import io
import json
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import highdicom
import nibabel
import numpy as np
import pydicom

CLASSES = {"723857007": 1, "NHID": 2}


def label_voxels(path):
    """The voxels of each value, as sets of indices, and the affine."""
    image = nibabel.load(path)
    data = np.asarray(image.dataobj)
    return {int(v): {tuple(x) for x in np.argwhere(data == v)} for v in np.unique(data) if v}, image.affine


def check_segmentation(path, results, sources):
    seg = highdicom.seg.segread(path)
    scan = path.name.removesuffix("_seg.dcm")
    stem = next(results.rglob(f"{scan}*_seg-lesions_dseg.nii.gz"))
    by_lesion = hasattr(seg.SegmentSequence[0], "TrackingUID")
    truth, affine = label_voxels(str(stem).replace("seg-lesions", "seg-instances") if by_lesion else stem)
    to_voxels = np.linalg.inv(affine) @ np.diag([-1, -1, 1, 1])
    found = collections.defaultdict(set)
    shared = seg.SharedFunctionalGroupsSequence[0]
    row, column = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float).reshape(2, 3)
    down, across = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    farthest = 0.0
    planes = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns)
    for frame, pixels in zip(seg.PerFrameFunctionalGroupsSequence, planes):
        assert pixels.any(), "an empty frame"
        segment = frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        place = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float)
        image = frame.DerivationImageSequence[0].SourceImageSequence[0]
        source = sources[image.ReferencedSOPInstanceUID]
        if "PerFrameFunctionalGroupsSequence" in source:
            number = image.ReferencedFrameNumber - 1
            there = source.PerFrameFunctionalGroupsSequence[number].PlanePositionSequence[0]
        else:
            there = source
        assert list(there.ImagePositionPatient) == list(frame.PlanePositionSequence[0].ImagePositionPatient)
        assert source.StudyInstanceUID == seg.StudyInstanceUID and source.PatientID == seg.PatientID
        for r, c in np.argwhere(pixels):
            world = place + row * across * c + column * down * r
            voxel = (to_voxels @ [*world, 1])[:3]
            farthest = max(farthest, float(np.abs(voxel - np.round(voxel)).max()))
            found[segment].add(tuple(np.round(voxel).astype(int)))
    described = {s.SegmentNumber: s for s in seg.SegmentSequence}
    values = {}
    for number, segment in described.items():
        code = segment.SegmentedPropertyTypeCodeSequence[0].CodeValue
        values[number] = int(segment.SegmentLabel.split()[-1]) if by_lesion else CLASSES[code]
    named = {values[number]: voxels for number, voxels in found.items()}
    assert named == truth, f"{path}: voxels differ"
    volume = seg.get_volume(combine_segments=True)  # highdicom's own idea of the geometry
    count = sum(len(v) for v in truth.values())
    assert int((volume.array > 0).sum()) == count
    print(f"{path.name}: {len(found)} segments, {seg.NumberOfFrames} frames, {count} voxels equal; "
          f"at most {farthest:.1e} voxels off the grid")


def check_dcmqi(path, results):
    """The segments as 3D Slicer's library reads them."""
    scan = path.name.removesuffix("_seg.dcm")
    stem = str(next(results.rglob(f"{scan}*_seg-lesions_dseg.nii.gz")))
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["segimage2itkimage", "--inputDICOM", path, "--outputDirectory", folder, "--outputType", "nii"],
                       check=True, capture_output=True)
        described = json.loads((pathlib.Path(folder) / "meta.json").read_text())["segmentAttributes"]
        truth, affine = label_voxels(stem)
        count = 0
        for n, [segment] in enumerate(described, 1):
            image = nibabel.load(f"{folder}/{n}.nii.gz")
            there = np.argwhere(np.asarray(image.dataobj) != 0)
            voxels = nibabel.affines.apply_affine(np.linalg.inv(affine) @ image.affine, there)
            found = {tuple(voxel) for voxel in np.round(voxels).astype(int)}
            assert found <= truth[CLASSES[segment["SegmentedPropertyTypeCodeSequence"]["CodeValue"]]]
            count += len(found)
    assert count == sum(len(voxels) for voxels in truth.values())
    print(f"{path.name}: dcmqi reads {len(described)} segments with the same {count} voxels")


def check_report(path, results):
    report = highdicom.sr.srread(path)
    scan = path.name.removesuffix("_sr.dcm")
    rows = list(csv.DictReader(next(results.rglob(f"{scan}_desc-lesions.tsv")).open(), delimiter="\t"))
    content = report.content
    groups = content.get_volumetric_roi_measurement_groups()
    assert len(groups) == len(rows), f"{len(groups)} groups, {len(rows)} lesions"
    seg_file = path.with_name(f"{scan}_seg.dcm")
    seg = pydicom.dcmread(seg_file) if seg_file.exists() else None
    for group, row in zip(groups, rows):
        assert group.tracking_identifier == f"{row['class']} {row['lesion_id']}"
        assert CLASSES[group.finding_type.value] == {"CMB": 1, "NHID": 2}[row["class"]]
        measured = {m.name.meaning: m.value for m in group.get_measurements()}
        for name, column in [("Volume", "volume_mm3"), ("Diameter", "diameter_mm"),
                             ("Magnetic Susceptibility", "chi_mean_ppm"), ("Probability", "lesion_probability")]:
            if row.get(column, "n/a") != "n/a":
                assert abs(measured[name] - float(row[column])) < 1e-9, (name, measured[name], row[column])
        site = group.finding_sites[0]
        side = site.laterality.meaning.lower() if site.laterality else "n/a"
        assert side == row["side"], (side, row["side"])
        segment = group.referenced_segment
        assert segment.referenced_sop_instance_uid == seg.SOPInstanceUID
        label = seg.SegmentSequence[segment.referenced_segment_numbers[0] - 1].SegmentLabel
        assert label in (row["class"], f"{row['class']} {row['lesion_id']}")
        [point] = [i for i in group[0].ContentSequence if i.ValueType == "SCOORD3D"] or [None]
        if point is not None:
            x, y, z = (float(row[f"{a}_mm"]) for a in "xyz")
            assert np.allclose(point.GraphicData, [-x, -y, z], atol=1e-4)
    counts = content.get_planar_roi_measurement_groups()
    assert not counts
    groups = content.get_image_measurement_groups()
    numbers = {group.tracking_identifier: next(iter(group.get_measurements())).value for group in groups}
    for name in ["CMB", "NHID"]:
        assert numbers[f"{name} count"] == sum(row["class"] == name for row in rows)
    assert report.VerificationFlag == "UNVERIFIED" and report.PreliminaryFlag == "PRELIMINARY"
    print(f"{path.name}: {len(rows)} lesions and the counts {numbers} equal the table")


def check_map(folder, results):
    """Values of a map's slices at their places, against the map that it was made of."""
    scan, kind = folder.name.rsplit("_", 1)
    name = f"{scan}*_Chimap.nii*" if kind == "qsm" else f"{scan}*_acq-swi_T2starw.nii*"
    image = nibabel.load(next(results.rglob(name)))
    values = np.asarray(image.dataobj)
    to_voxels = np.linalg.inv(image.affine) @ np.diag([-1, -1, 1, 1])
    farthest = largest = 0.0
    for path in sorted(folder.glob("*.dcm")):
        one = pydicom.dcmread(path)
        stored = one.pixel_array * float(one.RescaleSlope)
        row, column = np.array(one.ImageOrientationPatient, float).reshape(2, 3)
        r, c = np.indices(stored.shape)
        down, across = map(float, one.PixelSpacing)
        places = np.array(one.ImagePositionPatient, float) + c[..., None] * row * across + r[..., None] * column * down
        voxels = places @ to_voxels[:3, :3].T + to_voxels[:3, 3]
        index = np.round(voxels).astype(int)
        farthest = max(farthest, float(np.abs(voxels - index).max()))
        there = values[index[..., 0], index[..., 1], index[..., 2]]
        largest = max(largest, float(np.abs(there - stored).max() / float(one.RescaleSlope)))
    assert farthest < 0.01 and largest <= 0.51, (farthest, largest)
    print(f"{folder.name}: {len(list(folder.iterdir()))} slices, at most {largest:.2f} steps of the stored numbers off")


def check_dciodvfy(path, quiet=False):
    told = subprocess.run(["dciodvfy", path], capture_output=True, text=True)
    lines = (told.stdout + told.stderr).splitlines()
    errors = [line for line in lines if line.startswith("Error")]
    warnings = [line for line in lines if line.startswith("Warning")]
    if not quiet:
        print(f"{path.name}: dciodvfy {len(errors)} errors, {len(warnings)} warnings")
    for line in errors + ([] if quiet else warnings):
        print("   ", line)
    return len(errors)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def check_orthanc(paths):
    with tempfile.TemporaryDirectory() as folder:
        http, dicom = free_port(), free_port()
        settings = {"StorageDirectory": folder, "IndexDirectory": folder, "HttpPort": http, "DicomPort": dicom,
                    "RemoteAccessAllowed": False, "AuthenticationEnabled": False, "Plugins": [], "Name": "check"}
        (pathlib.Path(folder) / "settings.json").write_text(json.dumps(settings))
        server = subprocess.Popen(["Orthanc", f"{folder}/settings.json"], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        try:
            url = f"http://127.0.0.1:{http}"
            for _ in range(100):
                try:
                    urllib.request.urlopen(f"{url}/system", timeout=2).read()
                    break
                except OSError:
                    time.sleep(0.2)
            for path in paths:
                body = path.read_bytes()
                request = urllib.request.Request(f"{url}/instances", data=body, method="POST")
                told = json.load(urllib.request.urlopen(request))
                assert told["Status"] == "Success", told
                back = urllib.request.urlopen(f"{url}/instances/{told['ID']}/file").read()
                assert back == body, f"{path} came back changed"
                assert pydicom.dcmread(io.BytesIO(back)).SOPInstanceUID
            studies = json.load(urllib.request.urlopen(f"{url}/studies"))
            print(f"Orthanc took {len(paths)} files as {len(studies)} studies and gave them back byte by byte")
        finally:
            server.terminate()
            server.wait()


def main():
    arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
    written, results, dicom = map(pathlib.Path, arguments)
    sources = {}
    for path in dicom.rglob("*"):
        if path.is_file():
            try:
                one = pydicom.dcmread(path, stop_before_pixels=True)
            except pydicom.errors.InvalidDicomError:
                continue
            sources[one.get("SOPInstanceUID", "")] = one
    files = sorted(written.glob("*.dcm"))
    errors = 0
    for path in files:
        if path.name.endswith("_seg.dcm"):
            check_segmentation(path, results, sources)
            if shutil.which("segimage2itkimage"):
                check_dcmqi(path, results)
        elif path.name.endswith("_sr.dcm"):
            check_report(path, results)
        errors += check_dciodvfy(path)
    for folder in filter(pathlib.Path.is_dir, written.iterdir()):
        check_map(folder, results)
        slices = sorted(folder.glob("*.dcm"))
        of_maps = sum(check_dciodvfy(path, quiet=True) for path in slices)
        print(f"{folder.name}: dciodvfy {of_maps} errors in {len(slices)} slices")
        errors, files = errors + of_maps, files + slices
    if "--orthanc" in sys.argv:
        check_orthanc(files)
    sys.exit(1 if errors or not files else 0)


main()
