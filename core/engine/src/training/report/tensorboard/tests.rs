use luthier_protocol::EvalEvent;

use super::*;

#[test]
fn checksums_are_those_of_rfc_3720() {
    // RFC 3720, B.4: 32 bytes of zeros, of ones, and ascending.
    assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
    assert_eq!(crc32c(&[0xFF; 32]), 0x62A8_AB43);
    assert_eq!(crc32c(&(0..32).collect::<Vec<u8>>()), 0x46DD_794E);
}

/// Records of a file, every checksum compared.
fn records(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut rest, mut records) = (bytes, Vec::new());
    while !rest.is_empty() {
        let (length, after) = rest.split_at(8);
        assert_eq!(masked_crc32c(length).to_le_bytes(), after[..4]);
        let n = u64::from_le_bytes(length.try_into().unwrap()) as usize;
        let data = &after[4..4 + n];
        assert_eq!(masked_crc32c(data).to_le_bytes(), after[4 + n..8 + n]);
        records.push(data.to_vec());
        rest = &after[8 + n..];
    }
    records
}

#[test]
fn a_file_has_a_version_and_a_record_per_event() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = EventFile::create(&dir.path().join("logs/r-1"), 1_700_000_000_500).unwrap();
    let evaluation = Event::Evaluated(EvalEvent {
        run: "r-1".into(),
        global_step: 300,
        loss: 0.5,
        n_target_tokens: 9,
        is_best: true,
        metrics: Default::default(),
    });
    file.event(&evaluation, 1_700_000_001_000).unwrap();
    file.event(&Event::Warning { message: "x".into() }, 0).unwrap();
    file.end(RunStatus::Finished, 0).unwrap();
    let entry = std::fs::read_dir(dir.path().join("logs/r-1")).unwrap().next().unwrap().unwrap();
    assert!(entry.file_name().to_string_lossy().starts_with("events.out.tfevents.1700000000."));
    let records = records(&std::fs::read(entry.path()).unwrap());
    assert_eq!(records.len(), 2);
    let expected =
        [vec![0x09], 1_700_000_000.5f64.to_le_bytes().to_vec(), vec![0x10, 0x00, 0x1A, 13], b"brain.Event:2".to_vec()];
    assert_eq!(records[0], expected.concat());
    // step 300 as a varint; the value's tag and its bits as a float.
    assert_eq!(records[1][9..12], [0x10, 0xAC, 0x02]);
    let contains = |part: &[u8]| records[1].windows(part.len()).any(|window| window == part);
    assert!(contains(b"eval/loss") && contains(&[0x15, 0, 0, 0, 0x3F]) && contains(b"scalars"));
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = EventFile::create(&file.path().join("logs"), 0).unwrap_err();
    assert!(error.contains("logs"), "{error}");
}
