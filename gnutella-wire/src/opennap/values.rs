//! What messages are made of: logins, files, places.

#![expect(clippy::exhaustive_enums, reason = "the fields are the format")]
#![expect(clippy::exhaustive_structs, reason = "the fields are the format")]

use core::fmt;
use core::net::Ipv4Addr;

use super::fields::{Fields, Joiner};
use super::frame::{Kind, NapError};
use crate::text::Text;

/// Who logs in. **The password goes over the network as plain text**: never one that is used
/// elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Login<'a> {
    /// The name; one word.
    pub nick: Text<'a>,
    /// The password, readable for everybody on the way.
    pub password: Text<'a>,
    /// Where the client accepts connections; 0 behind a firewall.
    pub port: u16,
    /// The client program.
    pub client: Text<'a>,
    /// The type of its link.
    pub link: LinkType,
}

/// A file that is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File<'a> {
    /// The name, with the folders of the sharer.
    pub name: Text<'a>,
    /// The MD5 of the first 299,008 bytes, by custom, in hexadecimal.
    pub md5: Text<'a>,
    /// The size, in bytes.
    pub size: u32,
    /// Kilobits per second of sound.
    pub bitrate: u32,
    /// Samples per second, in hertz.
    pub frequency: u32,
    /// How long it plays, in seconds.
    pub seconds: u32,
}

/// The files of a folder, as 870 shares them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Folder<'a> {
    /// The folder; without a separator at its end, servers add `\\`.
    pub path: Text<'a>,
    /// The files as they stand in the message, each as in 100, under their names in the folder.
    pub files: Text<'a>,
}

/// Iterates over the files of a [`Folder`]. After one that is malformed, such as one of 4 GiB or more, comes the next name in
/// quotes.
#[derive(Debug, Clone)]
pub struct FolderFiles<'a> {
    fields: Fields<'a>,
}

/// A file that was found, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found<'a> {
    /// The file.
    pub file: File<'a>,
    /// Who shares it.
    pub nick: Text<'a>,
    /// Where.
    pub address: NapAddress,
    /// The type of the sharer's link.
    pub link: LinkType,
}

/// A file of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// Who.
    pub nick: Text<'a>,
    /// The name of the file, as it was shared.
    pub name: Text<'a>,
}

/// Where a file is to be fetched, or delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// Who.
    pub nick: Text<'a>,
    /// Where.
    pub address: NapAddress,
    /// The port; 0 behind a firewall.
    pub port: u16,
    /// The name of the file.
    pub name: Text<'a>,
    /// Its MD5, as it was shared.
    pub md5: Text<'a>,
    /// The type of the other's link.
    pub link: LinkType,
}

/// An address as one number. The text does not say in which order; by custom the first of the four
/// bytes is the lowest. A number above 32 bits, as in the text's own example of 204, is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NapAddress(pub u32);

/// The type of a link: 0 unknown, 1 to 4 modems, 5 and 6 ISDN, 7 cable, 8 DSL, 9 T1, 10 T3 or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LinkType(pub u8);

/// Counts transfers at the index; one pair each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transfer {
    /// 218.
    DownloadBegins,
    /// 219.
    DownloadEnds,
    /// 220.
    UploadBegins,
    /// 221.
    UploadEnds,
}

impl<'a> Login<'a> {
    pub(super) fn read(fields: &mut Fields<'a>) -> Option<Self> {
        Some(Self {
            nick: fields.word()?,
            password: fields.word()?,
            port: fields.number()?,
            client: fields.name().unwrap_or_default(),
            link: LinkType(fields.number_or_0()),
        })
    }

    pub(super) fn write(&self, out: &mut Joiner<'_, '_>) {
        let Self { nick, password, port, client, link } = *self;
        out.word(nick).word(password).number(port).name(client).number(link.0);
    }
}

impl<'a> File<'a> {
    pub(super) fn read(fields: &mut Fields<'a>) -> Option<Self> {
        Some(Self {
            name: fields.name()?,
            md5: fields.word()?,
            size: fields.number()?,
            bitrate: fields.number_or_0(),
            frequency: fields.number_or_0(),
            seconds: fields.number_or_0(),
        })
    }

    pub(super) fn write(&self, out: &mut Joiner<'_, '_>) {
        let Self { name, md5, size, bitrate, frequency, seconds } = *self;
        out.name(name)
            .word(sent_md5(md5))
            .number(size)
            .number(bitrate)
            .number(frequency)
            .number(seconds);
    }
}

impl<'a> Folder<'a> {
    pub(super) fn read(fields: &mut Fields<'a>) -> Option<Self> {
        Some(Self { path: fields.name()?, files: fields.rest()? })
    }

    pub(super) fn write(&self, out: &mut Joiner<'_, '_>) {
        out.name(self.path).word(self.files);
    }

    /// Iterates over the files.
    #[must_use]
    pub const fn files(self) -> FolderFiles<'a> {
        FolderFiles { fields: Fields::new(self.files.as_bytes()) }
    }
}

impl<'a> Iterator for FolderFiles<'a> {
    type Item = Result<File<'a>, NapError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.fields.is_empty() {
            return None;
        }
        let file = File::read(&mut self.fields);
        if file.is_none() {
            self.fields.skip_to_quote();
        }
        Some(file.ok_or(NapError::Malformed(Kind::SHARE_FOLDER)))
    }
}

impl File<'_> {
    /// Returns the MD5, unless the index does not know it: it then sends zeros.
    #[must_use]
    pub fn known_md5(&self) -> Option<Text<'_>> {
        known_md5(self.md5)
    }
}

impl Source<'_> {
    /// Returns the MD5, unless the index does not know it: it then sends zeros.
    #[must_use]
    pub fn known_md5(&self) -> Option<Text<'_>> {
        known_md5(self.md5)
    }
}

/// What servers send where they have no MD5.
pub(super) const UNKNOWN_MD5: Text<'_> = Text::of_text(&[b'0'; 32]);

/// Returns what is sent of an MD5. An empty field cannot be read: the next field would be taken for the MD5.
const fn sent_md5(md5: Text<'_>) -> Text<'_> {
    if md5.is_empty() { UNKNOWN_MD5 } else { md5 }
}

/// Returns an MD5 that is one: not zeros, and not a word such as `NOMD5COMPUTED`. What may follow the 32 digits, as
/// in `md5-size`, is ignored.
fn known_md5(md5: Text<'_>) -> Option<Text<'_>> {
    let digits = md5.as_bytes().get(..32)?;
    let valid =
        digits.iter().all(u8::is_ascii_hexdigit) && digits.iter().any(|digit| *digit != b'0');
    Text::new(digits).filter(|_| valid)
}

impl<'a> Found<'a> {
    pub(super) fn read(fields: &mut Fields<'a>) -> Option<Self> {
        Some(Self {
            file: File::read(fields)?,
            nick: fields.word()?,
            address: NapAddress(fields.number()?),
            link: LinkType(fields.number_or_0()),
        })
    }

    pub(super) fn write(&self, out: &mut Joiner<'_, '_>) {
        self.file.write(out);
        out.word(self.nick).number(self.address.0).number(self.link.0);
    }
}

impl<'a> Wanted<'a> {
    pub(super) fn read(fields: &mut Fields<'a>) -> Option<Self> {
        Some(Self { nick: fields.word()?, name: fields.name()? })
    }
}

impl<'a> Source<'a> {
    pub(super) fn read(fields: &mut Fields<'a>) -> Option<Self> {
        Some(Self {
            nick: fields.word()?,
            address: NapAddress(fields.number()?),
            port: fields.number()?,
            name: fields.name()?,
            md5: fields.word().unwrap_or_default(),
            link: LinkType(fields.number_or_0()),
        })
    }

    pub(super) fn write(&self, out: &mut Joiner<'_, '_>) {
        let Self { nick, address, port, name, md5, link } = *self;
        out.word(nick).number(address.0).number(port).name(name);
        out.word(sent_md5(md5)).number(link.0);
    }
}

impl From<Ipv4Addr> for NapAddress {
    fn from(ip: Ipv4Addr) -> Self {
        Self(u32::from_le_bytes(ip.octets()))
    }
}

impl From<NapAddress> for Ipv4Addr {
    fn from(address: NapAddress) -> Self {
        Self::from(address.0.to_le_bytes())
    }
}

impl fmt::Display for NapAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Ipv4Addr::from(*self))
    }
}
