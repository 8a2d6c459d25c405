DROP TABLE webhook_delivery;
DROP TABLE webhook_place;
DROP TABLE webhook;
