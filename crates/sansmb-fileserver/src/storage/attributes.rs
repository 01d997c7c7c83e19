//! Extended attributes, [MS-FSCC] 2.4.16.

use bytes::Bytes;
use sansmb::wire::NtStatus;

/// Most that the extended attributes of a file may come to, as [`packed_size`] counts them,
/// [MS-FSA] 2.1.5.15.6.
pub const MAX_EXTENDED_ATTRIBUTES: u32 = 64 * 1024 - 5;

/// A small piece of data beside a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtendedAttribute {
    /// Its name in ASCII, compared without regard to case.
    pub name: String,
    /// Its value, at most 65,535 bytes; an empty one removes it.
    pub value: Bytes,
    /// Who does not know the attribute must not touch the file.
    pub need: bool,
}

/// What extended attributes take up, as the EaSize of every class counts it: each its name with a
/// terminator, its value and four bytes, and four bytes for all of them; nothing for none.
pub fn packed_size<'a>(attributes: impl IntoIterator<Item = &'a ExtendedAttribute>) -> u32 {
    let each = attributes.into_iter().map(|ea| 5 + ea.name.len() + ea.value.len());
    let sum = each.fold(0, usize::saturating_add);
    if sum == 0 { 0 } else { u32::try_from(sum.saturating_add(4)).unwrap_or(u32::MAX) }
}

/// The attributes after `changes`, which are made in order.
pub fn merge_extended_attributes(
    mut current: Vec<ExtendedAttribute>,
    changes: &[ExtendedAttribute],
) -> Result<Vec<ExtendedAttribute>, NtStatus> {
    for change in changes {
        let at = current.iter().position(|ea| ea.name.eq_ignore_ascii_case(&change.name));
        match at {
            Some(at) if change.value.is_empty() => drop(current.remove(at)),
            Some(at) => {
                // It keeps the spelling that it has.
                if let Some(kept) = current.get_mut(at) {
                    kept.value = change.value.clone();
                    kept.need = change.need;
                }
            }
            None if change.value.is_empty() => {}
            None => current.push(change.clone()),
        }
        if packed_size(&current) > MAX_EXTENDED_ATTRIBUTES {
            return Err(NtStatus::EA_TOO_LARGE);
        }
    }
    Ok(current)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ea(name: &str, value: &[u8]) -> ExtendedAttribute {
        ExtendedAttribute { name: name.into(), value: Bytes::copy_from_slice(value), need: false }
    }

    #[test]
    fn attributes_are_replaced_removed_and_counted() {
        let start = vec![ea("One", b"1"), ea("two", b"22")];
        assert_eq!(packed_size(&start), 4 + (4 + 4 + 1) + (4 + 4 + 2));
        assert_eq!(packed_size(&[]), 0);
        let changes = [ea("ONE", b"uno"), ea("TWO", b""), ea("three", b"3"), ea("four", b"")];
        let after = merge_extended_attributes(start.clone(), &changes).unwrap();
        assert_eq!(after, [ea("One", b"uno"), ea("three", b"3")]);
        let large = [ea("large", &[0; 40_000]), ea("more", &[0; 40_000])];
        assert_eq!(merge_extended_attributes(start, &large), Err(NtStatus::EA_TOO_LARGE));
    }
}
