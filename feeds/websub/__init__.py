"""`feedwright ping`: hubs are told which feeds changed, when readers get the new bytes."""
