//! Messages: the fields of a frame (napster.txt, 2000).

use super::fields::{Fields, Joiner};
use super::frame::{Frame, HEADER_LEN, Kind, NapError};
use super::search::Search;
use super::values::{File, Folder, Found, LinkType, Login, Source, Transfer, Wanted};
use crate::error::BufferTooSmall;
use crate::text::Text;
use crate::writer::Writer;

/// A message between a client and the index. `C` comes from the client, `S` from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message<'a> {
    /// 0, S: what went wrong, in words.
    Error(Text<'a>),
    /// 2, C: logs in.
    Login(Login<'a>),
    /// 3, S: welcome; the address of mail that was registered.
    LoginAck(Text<'a>),
    /// 6, C: registers and logs in, with an address of mail.
    NewUser(Login<'a>, Text<'a>),
    /// 7, C: is this nick free?
    NickCheck(Text<'a>),
    /// 8, S.
    NickFree,
    /// 9, S: it is registered.
    NickTaken,
    /// 10, S.
    NickInvalid,
    /// 100, C: shares a file.
    Share(File<'a>),
    /// 102, C: shares it no more.
    Unshare(Text<'a>),
    /// 200, C: searches.
    Search(Search<'a>),
    /// 201, S: a row of the answer.
    Found(Found<'a>),
    /// 202, S: the answer is complete.
    SearchEnd,
    /// 203, C: where can I fetch this file of that user?
    Download(Wanted<'a>),
    /// 204, S: there.
    DownloadAck(Source<'a>),
    /// 205: words for a user; towards the receiver, of a user.
    Private(Text<'a>, Text<'a>),
    /// 206, S: nowhere.
    DownloadError(Wanted<'a>),
    /// 207, C: notify me when this user arrives and leaves.
    HotlistAdd(Text<'a>),
    /// 208, C: the same, for a list kept from before.
    HotlistInit(Text<'a>),
    /// 209, S: the user came, with this link.
    UserOn(Text<'a>, LinkType),
    /// 210, S: the user went.
    UserOff(Text<'a>),
    /// 211, C: what does this user share?
    Browse(Text<'a>),
    /// 212, S: a row of the answer.
    Browsed(Text<'a>, File<'a>),
    /// 213, S: the answer is complete.
    BrowseEnd(Text<'a>),
    /// 214, C: how large is the index?
    StatsRequest,
    /// 214, S: users, files, and gigabytes of the index.
    Stats(u32, u32, u32),
    /// 217, S: the answer to 215, which asks for sources by MD5, is complete.
    ResumeEnd,
    /// 218, C: a download begins; 219: it ends; 220 and 221: an upload does.
    Transfer(Transfer),
    /// 301, S: the hotlist has the user now.
    HotlistAck(Text<'a>),
    /// 302, S: it is full, or the user is unknown.
    HotlistError(Text<'a>),
    /// 303, C: stop notifying me about this user.
    HotlistRemove(Text<'a>),
    /// 404, S: what an index has to report after the login, in words.
    Notice(Text<'a>),
    /// 500, C: as 203, when the sharer is behind a firewall: let it connect to me.
    DownloadFirewalled(Wanted<'a>),
    /// 501, S: connect to this user, who wants the file.
    UploadFirewalled(Source<'a>),
    /// 600, C: how fast is this user's link?
    SpeedRequest(Text<'a>),
    /// 601, S: so fast.
    Speed(Text<'a>, LinkType),
    /// 607, S: this user wants that file.
    UploadRequest(Wanted<'a>),
    /// 608, C: it may come.
    UploadAccept(Wanted<'a>),
    /// 609: the sharer did not accept.
    AcceptFailed(Wanted<'a>),
    /// 619, C: this user may not come: this many uploads are allowed, and all are taken.
    UploadLimit(Wanted<'a>, u32),
    /// 620, S: the same, to the user, with the size of the file before the limit.
    UploadLimited(Wanted<'a>, u32, u32),
    /// 626: the port of this user cannot be connected to; towards the receiver, this user could not.
    PortError(Text<'a>),
    /// 750: are you there? 752 answers.
    Ping(Text<'a>),
    /// 751: the same, to a user.
    PingUser(Text<'a>),
    /// 752: I am.
    Pong(Text<'a>),
    /// 870, C: shares the files of a folder.
    ShareFolder(Folder<'a>),
    /// Any other type, kept as it stands.
    Other(Frame<'a>),
}

/// Cuts off a NUL or a line end, which some programs send behind the fields.
fn without_end(data: &[u8]) -> &[u8] {
    let mut data = data;
    while let [before @ .., b'\0' | b'\r' | b'\n'] = data {
        data = before;
    }
    data
}

impl<'a> Message<'a> {
    /// Reads the first message and returns it with the bytes after it.
    ///
    /// # Errors
    ///
    /// Those of [`Frame::decode`]; [`NapError::Malformed`] if its fields are.
    pub fn decode(bytes: &'a [u8], limit: u16) -> Result<(Self, &'a [u8]), NapError> {
        let (frame, rest) = Frame::decode(bytes, limit)?;
        Ok((Self::from_frame(frame)?, rest))
    }

    /// Reads the fields of a frame. Fields after the last known one are ignored.
    ///
    /// # Errors
    ///
    /// [`NapError::Malformed`].
    pub fn from_frame(frame: Frame<'a>) -> Result<Self, NapError> {
        Self::read(frame).ok_or(NapError::Malformed(frame.kind))
    }

    fn read(frame: Frame<'a>) -> Option<Self> {
        let mut fields = Fields::new(without_end(frame.data));
        let all = fields;
        Some(match frame.kind {
            Kind::ERROR => Self::Error(fields.rest()?),
            Kind::LOGIN => Self::Login(Login::read(&mut fields)?),
            Kind::LOGIN_ACK => Self::LoginAck(fields.rest()?),
            Kind::NEW_USER => Self::NewUser(Login::read(&mut fields)?, fields.word()?),
            Kind::NICK_CHECK => Self::NickCheck(fields.word()?),
            Kind::NICK_FREE => Self::NickFree,
            Kind::NICK_TAKEN => Self::NickTaken,
            Kind::NICK_INVALID => Self::NickInvalid,
            Kind::SHARE => Self::Share(File::read(&mut fields)?),
            Kind::UNSHARE => Self::Unshare(fields.name()?),
            Kind::SEARCH => Self::Search(Search::read(all)?),
            Kind::FOUND => Self::Found(Found::read(&mut fields)?),
            Kind::SEARCH_END => Self::SearchEnd,
            Kind::DOWNLOAD => Self::Download(Wanted::read(&mut fields)?),
            Kind::DOWNLOAD_ACK => Self::DownloadAck(Source::read(&mut fields)?),
            Kind::PRIVATE => Self::Private(fields.word()?, fields.rest()?),
            Kind::DOWNLOAD_ERROR => Self::DownloadError(Wanted::read(&mut fields)?),
            Kind::HOTLIST_ADD => Self::HotlistAdd(fields.word()?),
            Kind::HOTLIST_INIT => Self::HotlistInit(fields.word()?),
            Kind::USER_ON => Self::UserOn(fields.word()?, LinkType(fields.number_or_0())),
            Kind::USER_OFF => Self::UserOff(fields.word()?),
            Kind::BROWSE => Self::Browse(fields.word()?),
            Kind::BROWSED => Self::Browsed(fields.word()?, File::read(&mut fields)?),
            Kind::BROWSE_END => Self::BrowseEnd(fields.word()?),
            Kind::STATS if fields.is_empty() => Self::StatsRequest,
            Kind::STATS => Self::Stats(fields.number()?, fields.number()?, fields.number_or_0()),
            Kind::RESUME_END => Self::ResumeEnd,
            Kind::DOWNLOAD_BEGINS => Self::Transfer(Transfer::DownloadBegins),
            Kind::DOWNLOAD_ENDS => Self::Transfer(Transfer::DownloadEnds),
            Kind::UPLOAD_BEGINS => Self::Transfer(Transfer::UploadBegins),
            Kind::UPLOAD_ENDS => Self::Transfer(Transfer::UploadEnds),
            Kind::HOTLIST_ACK => Self::HotlistAck(fields.word()?),
            Kind::HOTLIST_ERROR => Self::HotlistError(fields.word()?),
            Kind::HOTLIST_REMOVE => Self::HotlistRemove(fields.word()?),
            Kind::NOTICE => Self::Notice(fields.rest()?),
            Kind::DOWNLOAD_FIREWALLED => Self::DownloadFirewalled(Wanted::read(&mut fields)?),
            Kind::UPLOAD_FIREWALLED => Self::UploadFirewalled(Source::read(&mut fields)?),
            Kind::SPEED_REQUEST => Self::SpeedRequest(fields.word()?),
            Kind::SPEED => Self::Speed(fields.word()?, LinkType(fields.number_or_0())),
            Kind::UPLOAD_REQUEST => Self::UploadRequest(Wanted::read(&mut fields)?),
            Kind::UPLOAD_ACCEPT => Self::UploadAccept(Wanted::read(&mut fields)?),
            Kind::ACCEPT_FAILED => Self::AcceptFailed(Wanted::read(&mut fields)?),
            Kind::UPLOAD_LIMIT => Self::UploadLimit(Wanted::read(&mut fields)?, fields.number()?),
            Kind::UPLOAD_LIMITED => {
                Self::UploadLimited(Wanted::read(&mut fields)?, fields.number()?, fields.number()?)
            }
            Kind::PORT_ERROR => Self::PortError(fields.word()?),
            Kind::PING => Self::Ping(fields.rest()?),
            Kind::PING_USER => Self::PingUser(fields.word()?),
            Kind::PONG => Self::Pong(fields.rest()?),
            Kind::SHARE_FOLDER => Self::ShareFolder(Folder::read(&mut fields)?),
            _ => Self::Other(frame),
        })
    }

    /// Returns the type.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Error(_) => Kind::ERROR,
            Self::Login(_) => Kind::LOGIN,
            Self::LoginAck(_) => Kind::LOGIN_ACK,
            Self::NewUser(..) => Kind::NEW_USER,
            Self::NickCheck(_) => Kind::NICK_CHECK,
            Self::NickFree => Kind::NICK_FREE,
            Self::NickTaken => Kind::NICK_TAKEN,
            Self::NickInvalid => Kind::NICK_INVALID,
            Self::Share(_) => Kind::SHARE,
            Self::Unshare(_) => Kind::UNSHARE,
            Self::Search(_) => Kind::SEARCH,
            Self::Found(_) => Kind::FOUND,
            Self::SearchEnd => Kind::SEARCH_END,
            Self::Download(_) => Kind::DOWNLOAD,
            Self::DownloadAck(_) => Kind::DOWNLOAD_ACK,
            Self::Private(..) => Kind::PRIVATE,
            Self::DownloadError(_) => Kind::DOWNLOAD_ERROR,
            Self::HotlistAdd(_) => Kind::HOTLIST_ADD,
            Self::HotlistInit(_) => Kind::HOTLIST_INIT,
            Self::UserOn(..) => Kind::USER_ON,
            Self::UserOff(_) => Kind::USER_OFF,
            Self::Browse(_) => Kind::BROWSE,
            Self::Browsed(..) => Kind::BROWSED,
            Self::BrowseEnd(_) => Kind::BROWSE_END,
            Self::StatsRequest | Self::Stats(..) => Kind::STATS,
            Self::ResumeEnd => Kind::RESUME_END,
            Self::Transfer(Transfer::DownloadBegins) => Kind::DOWNLOAD_BEGINS,
            Self::Transfer(Transfer::DownloadEnds) => Kind::DOWNLOAD_ENDS,
            Self::Transfer(Transfer::UploadBegins) => Kind::UPLOAD_BEGINS,
            Self::Transfer(Transfer::UploadEnds) => Kind::UPLOAD_ENDS,
            Self::HotlistAck(_) => Kind::HOTLIST_ACK,
            Self::HotlistError(_) => Kind::HOTLIST_ERROR,
            Self::HotlistRemove(_) => Kind::HOTLIST_REMOVE,
            Self::Notice(_) => Kind::NOTICE,
            Self::DownloadFirewalled(_) => Kind::DOWNLOAD_FIREWALLED,
            Self::UploadFirewalled(_) => Kind::UPLOAD_FIREWALLED,
            Self::SpeedRequest(_) => Kind::SPEED_REQUEST,
            Self::Speed(..) => Kind::SPEED,
            Self::UploadRequest(_) => Kind::UPLOAD_REQUEST,
            Self::UploadAccept(_) => Kind::UPLOAD_ACCEPT,
            Self::AcceptFailed(_) => Kind::ACCEPT_FAILED,
            Self::UploadLimit(..) => Kind::UPLOAD_LIMIT,
            Self::UploadLimited(..) => Kind::UPLOAD_LIMITED,
            Self::PortError(_) => Kind::PORT_ERROR,
            Self::Ping(_) => Kind::PING,
            Self::PingUser(_) => Kind::PING_USER,
            Self::Pong(_) => Kind::PONG,
            Self::ShareFolder(_) => Kind::SHARE_FOLDER,
            Self::Other(frame) => frame.kind,
        }
    }

    /// Returns the length with the header, in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        HEADER_LEN.saturating_add(Writer::measure(|w| self.write(w)))
    }

    /// Writes the message and returns its length. Data beyond 65,535 bytes are left out.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below [`encoded_len`](Self::encoded_len) bytes.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let len = Writer::measure(|w| self.write(w));
        Writer::fill(out, |w| {
            w.u16(u16::try_from(len).unwrap_or(u16::MAX));
            w.u16(self.kind().0);
            self.write(w);
        })
    }

    fn write(&self, w: &mut Writer<'_>) {
        let out = &mut Joiner::in_frame(w);
        match self {
            Self::NickFree
            | Self::NickTaken
            | Self::NickInvalid
            | Self::SearchEnd
            | Self::ResumeEnd
            | Self::StatsRequest
            | Self::Transfer(_) => {}
            Self::Error(word)
            | Self::Notice(word)
            | Self::PortError(word)
            | Self::LoginAck(word)
            | Self::NickCheck(word)
            | Self::HotlistAdd(word)
            | Self::HotlistInit(word)
            | Self::UserOff(word)
            | Self::Browse(word)
            | Self::BrowseEnd(word)
            | Self::HotlistAck(word)
            | Self::HotlistError(word)
            | Self::HotlistRemove(word)
            | Self::SpeedRequest(word)
            | Self::Ping(word)
            | Self::PingUser(word)
            | Self::Pong(word) => drop(out.word(*word)),
            Self::Unshare(name) => drop(out.name(*name)),
            Self::Login(login) => login.write(out),
            Self::NewUser(login, mail) => {
                login.write(out);
                out.word(*mail);
            }
            Self::Share(file) => file.write(out),
            Self::Search(search) => search.write(out),
            Self::Found(found) => found.write(out),
            Self::Browsed(nick, file) => file.write(out.word(*nick)),
            Self::Download(wanted)
            | Self::DownloadError(wanted)
            | Self::DownloadFirewalled(wanted)
            | Self::UploadRequest(wanted)
            | Self::UploadAccept(wanted)
            | Self::AcceptFailed(wanted) => drop(out.word(wanted.nick).name(wanted.name)),
            Self::UploadLimit(wanted, limit) => {
                out.word(wanted.nick).name(wanted.name).number(*limit);
            }
            Self::UploadLimited(wanted, size, limit) => {
                out.word(wanted.nick).name(wanted.name).number(*size).number(*limit);
            }
            Self::ShareFolder(folder) => folder.write(out),
            Self::DownloadAck(source) | Self::UploadFirewalled(source) => source.write(out),
            Self::Private(nick, text) => drop(out.word(*nick).word(*text)),
            Self::UserOn(nick, link) | Self::Speed(nick, link) => {
                out.word(*nick).number(link.0);
            }
            Self::Stats(users, files, gigabytes) => {
                out.number(*users).number(*files).number(*gigabytes);
            }
            Self::Other(frame) => w.bytes(frame.sent_data()),
        }
    }
}
