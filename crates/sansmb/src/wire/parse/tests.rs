use nom::bytes::complete::tag;

use super::*;

fn error<'m, O: core::fmt::Debug>(
    input: &'m [u8],
    parser: impl Parser<&'m [u8], Output = O, Error = Refused>,
) -> DecodeError {
    parse("list", 100, input, parser).unwrap_err()
}

#[test]
fn errors_count_from_the_base() {
    let three = || repeated(3, preceded(tag(&[7][..]), data(1)));
    assert!(parse("list", 0, &[7, 0, 7, 0, 7, 0, 9], three()).is_ok_and(|(rest, ())| rest == [9]));
    assert_eq!(error(&[7, 0, 7], three()), DecodeError::new("list", 103, DecodeErrorKind::Range));
    assert_eq!(error(&[7, 0, 7, 0], three()), DecodeError::truncated("list", 104));
    assert_eq!(error(&[7, 0, 8, 0], three()), DecodeError::value("list", 102, 8));
    assert_eq!(error(&[7], elements::<U32>(1)), DecodeError::truncated("list", 101));
    assert_eq!(error(&[7], context("field", fixed::<U32>)), DecodeError::truncated("field", 100));
    let nested = |_| -> Parsed<'_, ()> { Err(DecodeError::truncated("entry", 1).into()) };
    assert_eq!(error(&[7], nested), DecodeError::truncated("entry", 1));
}

#[test]
fn a_list_to_the_end_leaves_nothing() {
    let pairs = || to_the_end(take(2_usize));
    assert!(parse("list", 0, &[], pairs()).is_ok());
    assert!(parse("list", 0, &[1, 2, 3, 4], pairs()).is_ok_and(|(rest, ())| rest.is_empty()));
    assert_eq!(error(&[1, 2, 3], pairs()), DecodeError::truncated("list", 102));
}

#[test]
fn elements_are_aligned_in_their_list() {
    let list = [1, 0, 0, 0, 2, 9];
    let two = repeated(2, aligned(&list, 4, take(1_usize)));
    assert!(parse("list", 0, &list, two).is_ok_and(|(rest, ())| rest == [9]));
    let cut = repeated(2, aligned(&list[..3], 4, take(1_usize)));
    assert_eq!(error(&list[..3], cut), DecodeError::truncated("list", 101));
}

fn chain(input: &[u8]) -> Result<(), DecodeErrorKind> {
    let chain = chained(link(4, 4, |_| DecodeErrorKind::Range));
    parse("list", 0, input, chain).map(|_| ()).map_err(|error| error.kind)
}

#[test]
fn a_chain_gets_shorter_and_ends() {
    assert_eq!(chain(&[4, 0, 0, 0, 0, 0, 0, 0, 9]), Ok(()));
    assert_eq!(chain(&[4, 0, 0, 0]), Err(DecodeErrorKind::Truncated));
    assert_eq!(chain(&[8, 0, 0, 0]), Err(DecodeErrorKind::Range));
    for wrong in [1, 3, 6] {
        assert_eq!(chain(&[wrong, 0, 0, 0, 0, 0, 0, 0]), Err(DecodeErrorKind::Chain(wrong.into())));
    }
}
