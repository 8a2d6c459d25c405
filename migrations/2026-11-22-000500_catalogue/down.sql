DROP TABLE product_lot, product, device;
