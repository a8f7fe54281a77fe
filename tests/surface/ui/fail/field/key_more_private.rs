#![allow(private_interfaces)]

use zctor::actor;

#[derive(Hash)]
struct Id(u8);

#[actor]
pub enum AccountMessage {
    Open(#[key] Id),
}

fn main() {}
