//! Enums whose parts come from other macros, in every kind of fragment.
#![deny(warnings)]
#![allow(dead_code)]

mod vendor {
    pub(crate) use zctor as threads;
}

macro_rules! whole {
    ($item:item) => {
        #[zctor::actor]
        $item
    };
}

macro_rules! visible {
    ($vis:vis $name:ident $(, $ty:ty)*) => {
        #[zctor::actor]
        $vis enum $name {
            A($($ty),*),
            #[cfg(any())]
            Gone,
        }
    };
}

macro_rules! variants {
    ($name:ident { $($(#[$meta:meta])* $variant:ident $(($($ty:ty),*))?),* $(,)? }) => {
        #[$crate::compiles::made_by_macros::vendor::threads::actor(crate = $crate::compiles::made_by_macros::vendor::threads)]
        #[derive(Clone)]
        enum $name { $($(#[$meta])* $variant $(($($ty),*))?),* }
    };
}

macro_rules! fields {
    ($name:ident $($field:ident)*) => {
        #[zctor::actor(ctx)]
        enum $name {
            #[reply(u8)]
            A { $($field: u8),*, last: u8 },
        }
    };
}

macro_rules! numbered {
    ($name:ident, $value:expr, $text:literal, $client:ident, $callee:path, $other:ty) => {
        #[zctor::actor(name = $text, client = $client, calls($callee, $other))]
        #[repr(u8)]
        enum $name {
            A = $value,
            B,
        }
    };
}

macro_rules! handled {
    ($name:ident, $handle:ident: $($variant:ident)*, $ty:ty) => {
        #[zctor::actor(handles($handle = [$($variant),*]))]
        enum $name {
            $(#[reply(bool)] $variant(#[msg(into)] $ty),)*
            #[cfg(any())]
            Gone,
            Own(#[msg(into)] Box<$ty>),
        }
    };
}

macro_rules! generic {
    ($name:ident<$param:ident: $bound:path>, $lifetime:lifetime, $where:ty) => {
        #[zctor::actor]
        enum $name<$param: $bound + $lifetime>
        where
            $where: Send,
        {
            #[reply(Vec<$param>)]
            A($param, Box<$where>),
        }
    };
}

whole! { enum One { #[reply(u8)] A, #[cfg(any())] Gone(Nowhere), B(u8) } }
whole! { /** Documented. */ pub(crate) enum Two { #[reply(u8)] A, B(u8) } }
visible! { Three, u8, Vec<u8> }
visible! { pub(crate) Four, Box<Self> }
variants! { Five { /** Documented. */ #[reply(Vec<u8>)] A(u8), #[msg(internal)] B, #[cfg(any())] Gone(Nowhere) } }
variants! { Six { /** Documented. */ #[reply(Vec<u8>)] A(u8), #[deprecated] B } }
fields! { Seven a b ctx port }
numbered! { Eight, 3 + 4, "eight", Octo, One, Two }
handled! { Ten, TenReader: A B, Option<String> }
generic! { Nine<T: Clone>, 'static, T }

#[test]
fn compiles() {
    let _ = (One::a(), Two::a(), Five::a(3), Six::a(3), Seven::a(1, 2, 3, 4, 5), Nine::a('x', Box::new('y')));
    let _: Option<Octo> = None;
    let _ = |reader: &TenReader| (reader.a("a".to_owned()), reader.non_blocking().b(None));
}
