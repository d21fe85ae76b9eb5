//! Every factory of a link, for the front door: each takes what comes below it and returns itself.

pub use crate::enumerator::erase_enumerator;
pub use crate::sink_link::sink;
pub use crate::source_driver::source_driver;
pub use crate::transform::{
    assign_watermarks, fan_out, filter, flat_map, map, try_filter, try_filter_or, try_flat_map,
    try_flat_map_or, try_map, try_map_or,
};
