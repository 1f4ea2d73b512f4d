//! The types of messages, in their order (napster.txt, 2000).

use super::frame::Kind;

impl Kind {
    /// [`Message::Error`](super::Message).
    pub const ERROR: Self = Self(0);
    /// [`Message::Login`](super::Message).
    pub const LOGIN: Self = Self(2);
    /// [`Message::LoginAck`](super::Message).
    pub const LOGIN_ACK: Self = Self(3);
    /// [`Message::NewUser`](super::Message).
    pub const NEW_USER: Self = Self(6);
    /// [`Message::NickCheck`](super::Message).
    pub const NICK_CHECK: Self = Self(7);
    /// [`Message::NickFree`](super::Message).
    pub const NICK_FREE: Self = Self(8);
    /// [`Message::NickTaken`](super::Message).
    pub const NICK_TAKEN: Self = Self(9);
    /// [`Message::NickInvalid`](super::Message).
    pub const NICK_INVALID: Self = Self(10);
    /// Options of the client, which an index may ignore.
    pub const LOGIN_OPTIONS: Self = Self(14);
    /// [`Message::Share`](super::Message).
    pub const SHARE: Self = Self(100);
    /// [`Message::Unshare`](super::Message).
    pub const UNSHARE: Self = Self(102);
    /// [`Message::Search`](super::Message).
    pub const SEARCH: Self = Self(200);
    /// [`Message::Found`](super::Message).
    pub const FOUND: Self = Self(201);
    /// [`Message::SearchEnd`](super::Message).
    pub const SEARCH_END: Self = Self(202);
    /// [`Message::Download`](super::Message).
    pub const DOWNLOAD: Self = Self(203);
    /// [`Message::DownloadAck`](super::Message).
    pub const DOWNLOAD_ACK: Self = Self(204);
    /// [`Message::Private`](super::Message).
    pub const PRIVATE: Self = Self(205);
    /// [`Message::DownloadError`](super::Message).
    pub const DOWNLOAD_ERROR: Self = Self(206);
    /// [`Message::HotlistAdd`](super::Message).
    pub const HOTLIST_ADD: Self = Self(207);
    /// [`Message::HotlistInit`](super::Message).
    pub const HOTLIST_INIT: Self = Self(208);
    /// [`Message::UserOn`](super::Message).
    pub const USER_ON: Self = Self(209);
    /// [`Message::UserOff`](super::Message).
    pub const USER_OFF: Self = Self(210);
    /// [`Message::Browse`](super::Message).
    pub const BROWSE: Self = Self(211);
    /// [`Message::Browsed`](super::Message).
    pub const BROWSED: Self = Self(212);
    /// [`Message::BrowseEnd`](super::Message).
    pub const BROWSE_END: Self = Self(213);
    /// [`Message::Stats`](super::Message).
    pub const STATS: Self = Self(214);
    /// Asks for sources of a file by its MD5; kept as [`Message::Other`](super::Message).
    pub const RESUME: Self = Self(215);
    /// [`Message::ResumeEnd`](super::Message).
    pub const RESUME_END: Self = Self(217);
    /// [`Message::Transfer`](super::Message).
    pub const DOWNLOAD_BEGINS: Self = Self(218);
    /// [`Message::Transfer`](super::Message).
    pub const DOWNLOAD_ENDS: Self = Self(219);
    /// [`Message::Transfer`](super::Message).
    pub const UPLOAD_BEGINS: Self = Self(220);
    /// [`Message::Transfer`](super::Message).
    pub const UPLOAD_ENDS: Self = Self(221);
    /// [`Message::HotlistAck`](super::Message).
    pub const HOTLIST_ACK: Self = Self(301);
    /// [`Message::HotlistError`](super::Message).
    pub const HOTLIST_ERROR: Self = Self(302);
    /// [`Message::HotlistRemove`](super::Message).
    pub const HOTLIST_REMOVE: Self = Self(303);
    /// The index closes the connection; kept as [`Message::Other`](super::Message).
    pub const DISCONNECTING: Self = Self(316);
    /// [`Message::Notice`](super::Message).
    pub const NOTICE: Self = Self(404);
    /// [`Message::DownloadFirewalled`](super::Message).
    pub const DOWNLOAD_FIREWALLED: Self = Self(500);
    /// [`Message::UploadFirewalled`](super::Message).
    pub const UPLOAD_FIREWALLED: Self = Self(501);
    /// [`Message::SpeedRequest`](super::Message).
    pub const SPEED_REQUEST: Self = Self(600);
    /// [`Message::Speed`](super::Message).
    pub const SPEED: Self = Self(601);
    /// [`Message::UploadRequest`](super::Message).
    pub const UPLOAD_REQUEST: Self = Self(607);
    /// [`Message::UploadAccept`](super::Message).
    pub const UPLOAD_ACCEPT: Self = Self(608);
    /// [`Message::AcceptFailed`](super::Message).
    pub const ACCEPT_FAILED: Self = Self(609);
    /// [`Message::UploadLimit`](super::Message).
    pub const UPLOAD_LIMIT: Self = Self(619);
    /// [`Message::UploadLimited`](super::Message).
    pub const UPLOAD_LIMITED: Self = Self(620);
    /// [`Message::PortError`](super::Message).
    pub const PORT_ERROR: Self = Self(626);
    /// The nick has logged in elsewhere; kept as [`Message::Other`](super::Message).
    pub const LOGGED_IN_ELSEWHERE: Self = Self(748);
    /// [`Message::Ping`](super::Message).
    pub const PING: Self = Self(750);
    /// [`Message::PingUser`](super::Message).
    pub const PING_USER: Self = Self(751);
    /// [`Message::Pong`](super::Message).
    pub const PONG: Self = Self(752);
    /// [`Message::ShareFolder`](super::Message).
    pub const SHARE_FOLDER: Self = Self(870);

    /// Returns the type in words; none for types that this crate does not read.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ERROR => "error",
            Self::LOGIN => "login",
            Self::LOGIN_ACK => "login ack",
            Self::NEW_USER => "new user",
            Self::NICK_CHECK => "nick check",
            Self::NICK_FREE => "nick free",
            Self::NICK_TAKEN => "nick taken",
            Self::NICK_INVALID => "nick invalid",
            Self::LOGIN_OPTIONS => "login options",
            Self::SHARE => "share",
            Self::UNSHARE => "unshare",
            Self::SEARCH => "search",
            Self::FOUND => "found",
            Self::SEARCH_END => "search end",
            Self::DOWNLOAD => "download",
            Self::DOWNLOAD_ACK => "download ack",
            Self::PRIVATE => "private",
            Self::DOWNLOAD_ERROR => "download error",
            Self::HOTLIST_ADD => "hotlist add",
            Self::HOTLIST_INIT => "hotlist init",
            Self::USER_ON => "user on",
            Self::USER_OFF => "user off",
            Self::BROWSE => "browse",
            Self::BROWSED => "browsed",
            Self::BROWSE_END => "browse end",
            Self::STATS => "stats",
            Self::RESUME => "resume",
            Self::RESUME_END => "resume end",
            Self::DOWNLOAD_BEGINS => "download begins",
            Self::DOWNLOAD_ENDS => "download ends",
            Self::UPLOAD_BEGINS => "upload begins",
            Self::UPLOAD_ENDS => "upload ends",
            Self::HOTLIST_ACK => "hotlist ack",
            Self::HOTLIST_ERROR => "hotlist error",
            Self::HOTLIST_REMOVE => "hotlist remove",
            Self::DISCONNECTING => "disconnecting",
            Self::NOTICE => "notice",
            Self::DOWNLOAD_FIREWALLED => "download firewalled",
            Self::UPLOAD_FIREWALLED => "upload firewalled",
            Self::SPEED_REQUEST => "speed request",
            Self::SPEED => "speed",
            Self::UPLOAD_REQUEST => "upload request",
            Self::UPLOAD_ACCEPT => "upload accept",
            Self::ACCEPT_FAILED => "accept failed",
            Self::UPLOAD_LIMIT => "upload limit",
            Self::UPLOAD_LIMITED => "upload limited",
            Self::PORT_ERROR => "port error",
            Self::LOGGED_IN_ELSEWHERE => "logged in elsewhere",
            Self::PING => "ping",
            Self::PING_USER => "ping user",
            Self::PONG => "pong",
            Self::SHARE_FOLDER => "share folder",
            _ => "",
        }
    }
}
