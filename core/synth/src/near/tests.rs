use super::*;

#[test]
fn texts_are_near_by_their_longest_common_subsequence() {
    let mut near = NearDuplicates::default();
    assert!(near.insert("Write a haiku about the autumn wind", 0.7));
    assert!(!near.insert("write a haiku about the AUTUMN winds!", 0.7));
    assert!(near.insert("Compute the sum of two numbers", 0.7));
    // The same words in another order have little in sequence.
    assert!(near.insert("wind autumn the about haiku a write", 0.7));
    assert!(near.insert("", 0.7) && near.insert("", 0.7));
}

#[test]
fn lengths_by_hand() {
    assert_eq!(longest_common(&[1, 2, 3, 4], &[2, 4, 3, 4]), 3);
    assert_eq!(in_common(&[1, 2, 2, 3], &[2, 2, 2, 3]), 3);
}
