DROP TABLE consent_signature, consent, consent_template_version, consent_template;
