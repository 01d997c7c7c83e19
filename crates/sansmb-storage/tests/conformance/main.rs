//! One set of rules for every backend, run against each of them.

#![cfg(target_os = "linux")]

mod data;
mod eas;
mod helpers;
mod integrity;
mod kept_local;
mod local_only;
mod names;
mod object_id;
mod open;
mod quota;
mod read_only;
mod removal;
mod rename;
mod reparse;
mod same;
mod security;
mod streams;
mod streams_local;
mod watch;

use helpers::Fixture;

/// Makes a test of each rule for each backend.
macro_rules! rules {
    ($($module:ident: $($rule:ident),* $(,)?;)*) => {
        mod local {
            $($(#[test] fn $rule() { super::$module::$rule(&*super::Fixture::local()) })*)*
        }
        mod memory {
            $($(#[test] fn $rule() { super::$module::$rule(&*super::Fixture::memory()) })*)*
        }
    };
}

rules! {
    open: existence, kinds, missing_parents, root, attributes_of_new_files, stale_handles, rights,
        concurrent_creates_make_one, files_are_told_apart_for_good;
    names: other_case_finds_the_same, case_is_kept, lookup_in_directories, unusual_names,
        ten_thousand_files, listing_in_batches, listing_while_it_changes, vanishing_entries_are_skipped, deep_paths;
    data: write_then_read, holes_read_as_zeros, reading_past_the_end, o9_offsets_beyond_the_end_of_numbers,
        setting_length, allocate_keeps_the_length, copying, copying_onto_itself, zeroing, ranges,
        times_and_attributes, change_time_stays_until_the_next_change, times_before_and_after_unix,
        shared_blocks, created_survives_writes, large_reads_and_writes, concurrent_use,
        huge_offset_takes_no_room;
    removal: unlink_while_open, directories_must_be_empty, unlink_never_hits_another_file, is_empty,
        root_stays, unlink_in_renamed_directory, unlink_of_many_hits_no_other_file, unlink_twice;
    object_id: object_ids_are_kept_or_refused;
    quota: quotas_are_kept_or_refused;
    integrity: integrity_is_kept_and_inherited_or_refused;
    reparse: reparse_points_hold_what_they_are_given, o18_reparse_points_stop_whoever_comes,
        o18_only_empty_directories_become_reparse_points, reparse_points_are_renamed_and_removed;
    rename: rename_and_replace, case_only, into_other_directory, directory_into_itself, onto_directory,
        handle_follows, onto_itself, hard_links, link_replaces, rename_onto_own_link, onto_other_case,
        missing_target_directory;
    security: what_is_made_tells_the_times_that_it_has, none_until_it_is_set, attributes_and_descriptors_live_side_by_side, new_files_inherit,
        o15_who_may_not_add_makes_nothing, listings_say_who_may_do_what_when_asked,
        what_does_not_parse_is_not_kept, an_owner_stays_whatever_else_is_set;
    streams: made_and_found, data_of_their_own, belong_to_the_file, listed, removed, renamed, go_with_the_file,
        of_directories_and_the_root, stay_with_hard_links, o5_bad_names, many_at_once, follow_a_rename,
        stripped, renamed_by_another_handle;
    eas: set_and_removed, names_without_case, need, of_streams_and_directories, too_large;
}
