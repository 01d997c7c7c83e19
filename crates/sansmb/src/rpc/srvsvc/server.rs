//! The server itself: NetrServerGetInfo and NetrRemoteTOD.

use alloc::vec::Vec;

use super::super::{NdrReader, NdrWriter, NetStatus};
use crate::time::FileTime;
use crate::wire::{DecodeError, Utf16, wire_flags};

wire_flags! {
    /// What a server does, [MS-SRVS] 2.2.2.7.
    pub struct ServerType: u32 {
        /// It uses shares of others.
        const WORKSTATION = 0x0000_0001;
        /// It has shares.
        const SERVER = 0x0000_0002;
        /// It has print queues.
        const PRINTQ_SERVER = 0x0000_0200;
        /// It runs Unix.
        const XENIX_SERVER = 0x0000_0800;
        /// It runs Windows NT or later.
        const NT = 0x0000_1000;
        /// It is a server that is no domain controller.
        const SERVER_NT = 0x0000_8000;
    }
}

/// SERVER_INFO_102 and what is shorter: a server. What a level does not have is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerInfo<'m> {
    /// 500: Windows NT and its likes.
    pub platform_id: u32,
    /// Name.
    pub name: Utf16<'m>,
    /// Version of the operating system that it claims to be, from level 101 on.
    pub version_major: u32,
    /// Minor version, from level 101 on.
    pub version_minor: u32,
    /// What it does, from level 101 on.
    pub server_type: ServerType,
    /// A comment for users, from level 101 on.
    pub comment: Utf16<'m>,
    /// How many users may log on, from level 102 on.
    pub users: u32,
    /// Minutes until a session without opens is ended, `u32::MAX` for never, from level 102 on.
    pub disconnect: u32,
    /// Whether it is left out of lists of servers, from level 102 on.
    pub hidden: bool,
    /// Seconds from one announcement to the next, from level 102 on.
    pub announce: u32,
    /// Milliseconds by which announcements differ from that, from level 102 on.
    pub announce_delta: u32,
    /// Users for each licence, from level 102 on.
    pub licenses: u32,
    /// Where the directories of users are, from level 102 on.
    pub user_path: Utf16<'m>,
}

/// The results of NetrServerGetInfo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerGetInfoResponse<'m> {
    /// 100, 101 or 102.
    pub level: u32,
    /// The server, if it worked.
    pub info: Option<ServerInfo<'m>>,
    /// Whether it worked.
    pub status: NetStatus,
}

impl<'m> ServerGetInfoResponse<'m> {
    /// Whether a server is described in this level.
    pub const fn is_level(level: u32) -> bool {
        matches!(level, 100..=102)
    }

    /// Levels that the interface has a form for, [MS-SRVS] 2.2.3.7: with these a pointer follows.
    const fn has_form(level: u32) -> bool {
        matches!(level, 100..=103 | 502 | 503 | 599 | 1005 | 1010 | 1016..=1018 | 1107 | 1501..=1556)
    }

    /// The stub.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = NdrWriter::new();
        let level = self.level;
        let info = self.info.filter(|_| Self::is_level(level));
        w.info_response(level, Self::has_form(level), info, |w, info| info.encode(w, level), self.status);
        w.finish()
    }

    /// Parses the stub.
    pub fn decode(stub: &'m [u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        let what = "NetrServerGetInfo response";
        let (level, info, status) =
            r.info_response(what, Self::has_form, Self::is_level, ServerInfo::decode)?;
        Ok(Self { level, info, status })
    }
}

impl<'m> ServerInfo<'m> {
    fn encode(&self, w: &mut NdrWriter, level: u32) {
        w.u32(self.platform_id);
        w.pointer(true);
        if level >= 101 {
            w.u32(self.version_major);
            w.u32(self.version_minor);
            w.u32(self.server_type.bits());
            w.pointer(true);
        }
        if level >= 102 {
            let numbers = [self.users, self.disconnect, self.hidden.into(), self.announce];
            numbers.into_iter().for_each(|number| w.u32(number));
            w.u32(self.announce_delta);
            w.u32(self.licenses);
            w.pointer(true);
        }
        w.string(self.name);
        if level >= 101 {
            w.string(self.comment);
        }
        if level >= 102 {
            w.string(self.user_path);
        }
    }

    fn decode(r: &mut NdrReader<'m>, level: u32) -> Result<Self, DecodeError> {
        let mut info = Self { platform_id: r.u32()?, ..Self::default() };
        let name = r.pointer()?;
        let (mut comment, mut user_path) = (false, false);
        if level >= 101 {
            info.version_major = r.u32()?;
            info.version_minor = r.u32()?;
            info.server_type = ServerType::from_bits_retain(r.u32()?);
            comment = r.pointer()?;
        }
        if level >= 102 {
            info.users = r.u32()?;
            info.disconnect = r.u32()?;
            info.hidden = r.u32()? != 0;
            info.announce = r.u32()?;
            info.announce_delta = r.u32()?;
            info.licenses = r.u32()?;
            user_path = r.pointer()?;
        }
        info.name = r.string_if(name)?;
        info.comment = r.string_if(comment)?;
        info.user_path = r.string_if(user_path)?;
        Ok(info)
    }
}

/// TIME_OF_DAY_INFO, [MS-SRVS] 2.2.4.105: what a server's clock says, in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeOfDay {
    /// Seconds since 1970.
    pub seconds: u32,
    /// Milliseconds since some point in time.
    pub milliseconds: u32,
    /// Hours, 0 to 23.
    pub hours: u32,
    /// Minutes.
    pub minutes: u32,
    /// Seconds of the minute.
    pub second: u32,
    /// Hundredths of the second.
    pub hundredths: u32,
    /// Minutes that the server's zone is west of Greenwich, -1 if that is not known.
    pub zone: i32,
    /// Steps of the clock, in tenths of milliseconds.
    pub interval: u32,
    /// Day of the month, from 1.
    pub day: u32,
    /// Month, from 1.
    pub month: u32,
    /// Year.
    pub year: u32,
    /// Day of the week, 0 for Sunday.
    pub weekday: u32,
}

impl TimeOfDay {
    /// 31 milliseconds, as Windows says.
    const INTERVAL: u32 = 310;

    /// That of a server whose clock shows `wall`, in no particular zone.
    pub fn new(wall: FileTime) -> Self {
        let (seconds, nanos) = wall.to_unix();
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400) as u32);
        let (year, month, day) = civil(days);
        Self {
            seconds: seconds as u32,
            milliseconds: (wall.0 / 10_000) as u32,
            hours: second / 3600,
            minutes: second / 60 % 60,
            second: second % 60,
            hundredths: nanos / 10_000_000,
            zone: 0,
            interval: Self::INTERVAL,
            day,
            month,
            year,
            // The first of January 1970 was a Thursday.
            weekday: (days + 4).rem_euclid(7) as u32,
        }
    }

    fn numbers(&self) -> [u32; 12] {
        [
            self.seconds,
            self.milliseconds,
            self.hours,
            self.minutes,
            self.second,
            self.hundredths,
            self.zone as u32,
            self.interval,
            self.day,
            self.month,
            self.year,
            self.weekday,
        ]
    }
}

/// Year, month and day of the Gregorian calendar, `days` after 1970-01-01: counted in years that begin
/// in March, whose leap day is their last.
fn civil(days: i64) -> (u32, u32, u32) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let first = (153 * month + 2) / 5;
    let (year, month) = (era * 400 + year, if month < 10 { (month + 3, 0) } else { (month - 9, 1) });
    ((year + month.1) as u32, month.0 as u32, (day - first + 1) as u32)
}

/// The results of NetrRemoteTOD.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemoteTodResponse {
    /// The time, if it worked.
    pub time: Option<TimeOfDay>,
    /// Whether it worked.
    pub status: NetStatus,
}

impl RemoteTodResponse {
    /// The stub.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = NdrWriter::new();
        w.pointer(self.time.is_some());
        if let Some(time) = &self.time {
            time.numbers().into_iter().for_each(|number| w.u32(number));
        }
        w.u32(self.status.0);
        w.finish()
    }

    /// Parses the stub.
    pub fn decode(stub: &[u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        let time = if r.pointer()? {
            Some(TimeOfDay {
                seconds: r.u32()?,
                milliseconds: r.u32()?,
                hours: r.u32()?,
                minutes: r.u32()?,
                second: r.u32()?,
                hundredths: r.u32()?,
                zone: r.u32()? as i32,
                interval: r.u32()?,
                day: r.u32()?,
                month: r.u32()?,
                year: r.u32()?,
                weekday: r.u32()?,
            })
        } else {
            None
        };
        Ok(Self { time, status: NetStatus(r.u32()?) })
    }
}
