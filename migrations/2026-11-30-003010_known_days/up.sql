-- How exactly the days of a health entry are known: to the day, the month or the year. Of a month or a year the first day
-- is kept.
ALTER TABLE public.health_entry ADD COLUMN onset_precision text NOT NULL DEFAULT 'day';
ALTER TABLE public.health_entry ADD COLUMN ended_precision text NOT NULL DEFAULT 'day';
ALTER TABLE public.health_entry ADD COLUMN last_dose_precision text NOT NULL DEFAULT 'day';
ALTER TABLE public.health_entry ADD CONSTRAINT health_entry_onset_precision_check
    CHECK (onset_precision IN ('day', 'month', 'year'));
ALTER TABLE public.health_entry ADD CONSTRAINT health_entry_ended_precision_check
    CHECK (ended_precision IN ('day', 'month', 'year'));
ALTER TABLE public.health_entry ADD CONSTRAINT health_entry_last_dose_precision_check
    CHECK (last_dose_precision IN ('day', 'month', 'year'));
