use super::*;

#[test]
fn the_sequence_of_seed_0_is_the_published_one() {
    let mut rng = Rng::new(0);
    assert_eq!([rng.next_u64(), rng.next_u64()], [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4]);
}

#[test]
fn below_covers_its_range_and_nothing_else() {
    let mut rng = Rng::new(7);
    let mut seen = [0; 5];
    (0..5_000).for_each(|_| seen[rng.below(5)] += 1);
    assert!(seen.iter().all(|&n| (850..1_150).contains(&n)), "{seen:?}");
    assert_eq!(rng.choose::<u8>(&[]), None);
}

#[test]
fn shuffle_keeps_the_items() {
    let mut items: Vec<_> = (0..50).collect();
    Rng::new(1).shuffle(&mut items);
    assert_ne!(items, (0..50).collect::<Vec<_>>());
    items.sort_unstable();
    assert_eq!(items, (0..50).collect::<Vec<_>>());
}
