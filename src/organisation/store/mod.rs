//! The SQL of organisations, locations and staff.

mod organisation;
mod places;
mod staff;

pub use organisation::{change, found, organisation};
pub use places::{add_location, countries, least_age_of_consent, location, locations, save_location};
pub use staff::{
    Joining, add_staff, admin_mails, all_staff, change_email, drop_second_factor, end_sign_ins, enter, invite_again,
    join, make_password_link, may_have_password_link, save_rights, save_staff, set_password, staff, staff_by_email,
    staff_member,
};
