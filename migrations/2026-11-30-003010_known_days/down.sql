ALTER TABLE public.health_entry DROP COLUMN onset_precision;
ALTER TABLE public.health_entry DROP COLUMN ended_precision;
ALTER TABLE public.health_entry DROP COLUMN last_dose_precision;
