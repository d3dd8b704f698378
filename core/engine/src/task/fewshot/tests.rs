use super::*;

#[test]
fn the_choice_depends_on_the_seed_alone() {
    assert_eq!(choose(100, 4, 7), choose(100, 4, 7));
    assert_ne!(choose(100, 4, 7), choose(100, 4, 8));
    let chosen = choose(100, 4, 7);
    assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]) && chosen.len() == 4);
    assert_eq!(choose(3, 3, 0), [0, 1, 2]);
}
