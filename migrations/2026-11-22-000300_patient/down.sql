DROP TABLE health_entry, patient_search, patient, chart_counter;
