-- The day a patient died: whoever has died is on no list to work through.

ALTER TABLE patient ADD COLUMN deceased_on date;
