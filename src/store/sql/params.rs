//! Values for the parameters of a statement, from the forms that Rust has for
//! several values.

use rusqlite::types::ToSql;

/// Values for `?1`, `?2` and so on.
pub(in crate::store) trait Params {
    /// Hands them over.
    fn with<T>(&self, take: impl FnOnce(&[&dyn ToSql]) -> T) -> T;
}

impl Params for &[&dyn ToSql] {
    fn with<T>(&self, take: impl FnOnce(&[&dyn ToSql]) -> T) -> T {
        take(self)
    }
}

/// No values: the type of the elements of `[]` has to be given somewhere.
impl Params for [&(dyn ToSql + Send + Sync); 0] {
    fn with<T>(&self, take: impl FnOnce(&[&dyn ToSql]) -> T) -> T {
        take(&[])
    }
}

/// Several values of one type. `[]` would be of any type, hence not for every
/// length.
macro_rules! of_lengths {
    ($($length:literal)*) => {$(
        impl<V: ToSql> Params for [V; $length] {
            fn with<T>(&self, take: impl FnOnce(&[&dyn ToSql]) -> T) -> T {
                take(&self.each_ref().map(|value| value as &dyn ToSql))
            }
        }
    )*};
}
of_lengths!(1 2 3 4 5 6 7 8);

/// The places for rows of values: `(?1, ?2), (?3, ?4)`.
pub(in crate::store) fn places<'v>(rows: &[impl AsRef<[&'v dyn ToSql]>]) -> String {
    let mut last = 0;
    let rows = rows.iter().map(|row| {
        let first = last + 1;
        last += row.as_ref().len();
        let places: Vec<String> = (first..=last).map(|place| format!("?{place}")).collect();
        format!("({})", places.join(", "))
    });
    rows.collect::<Vec<_>>().join(", ")
}
